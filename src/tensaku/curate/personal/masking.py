"""Personal data taken out of texts that belong together, the same datum by the same word everywhere.

A pseudonym is the datum itself, sealed by AES-SIV (RFC 5297): the key turns it back; without it nothing but its length
is learnt; an altered one is refused. The seal is the same for the same datum, so that draft and final stay in step, and
no list of who is who need be kept. The key is a file of its own, to be kept away from the pool.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from tensaku.curate.personal.finding import DEFAULT, Finding, Kind, find
from tensaku.errors import DataError, MissingExtra, UsageError
from tensaku.text.fold import fold

__all__ = ["LABELS", "Mode", "masked", "new_key", "read_key", "restored"]

Mode = Literal["redact", "number", "pseudonym"]
LABELS: dict[Kind, str] = {
    "email": "メール",
    "my_number": "個人番号",
    "corporate_number": "法人番号",
    "card": "カード番号",
    "birthday": "生年月日",
    "account": "口座番号",
    "phone": "電話",
    "address": "住所",
    "person": "氏名",
    "company": "会社",
}
_KINDS_BY_LABEL = {label: kind for kind, label in LABELS.items()}
_KEY_BYTES = 64  # AES-SIV with two 256-bit keys
_TOKEN = re.compile(rf"〔({'|'.join(_KINDS_BY_LABEL)}):([A-Z2-7]+)〕")


def masked(
    texts: Sequence[str], mode: Mode, kinds: Collection[Kind] = DEFAULT, key: bytes = b""
) -> tuple[list[str], list[Finding]]:
    """The texts without their personal data, and what was found in them.

    "redact" writes 〔氏名〕; "number" 〔氏名1〕, counted over these texts; "pseudonym" 〔氏名:...〕, which `restored`
    turns back.
    What is found in one text is taken out of the others too, wherever it stands as it was written.

    Args:
        texts: the sides of one pair.
        key: for "pseudonym", as `read_key` gives it.
    """
    found = [find(text, kinds) for text in texts]
    every = [finding for part in found for finding in part]
    if not every:
        return list(texts), []
    known = {finding.text: finding.kind for finding in every if len(finding.text) > 1}
    names = _names(every, mode, key)
    out = []
    for text, part in zip(texts, found, strict=True):
        out.append(_written(text, [*part, *_elsewhere(text, part, known)], names))
    return out, every


def _elsewhere(text: str, part: Sequence[Finding], known: dict[str, Kind]) -> list[Finding]:
    """What another text named as personal and that stands here unnoticed. Places found in this text are left alone."""
    taken = [(finding.start, finding.end) for finding in part]
    more = []
    for value in sorted(known, key=len, reverse=True):
        for match in re.finditer(re.escape(value), text):
            if all(match.end() <= start or end <= match.start() for start, end in taken):
                taken.append(match.span())
                more.append(Finding(known[value], *match.span(), value))
    return more


def _names(every: Sequence[Finding], mode: Mode, key: bytes) -> dict[tuple[Kind, str], str]:
    """The word for each datum; data are the same if they differ only in width and spaces."""
    names: dict[tuple[Kind, str], str] = {}
    numbers: dict[Kind, int] = {}
    for finding in every:
        datum = finding.kind, _common(finding.text)
        if datum in names:
            continue
        numbers[finding.kind] = numbers.get(finding.kind, 0) + 1
        label = LABELS[finding.kind]
        if mode == "redact":
            names[datum] = f"〔{label}〕"
        elif mode == "number":
            names[datum] = f"〔{label}{numbers[finding.kind]}〕"
        else:
            names[datum] = f"〔{label}:{_sealed(finding.kind, datum[1], key)}〕"
    return names


def _common(text: str) -> str:
    return "".join(fold(text).text.split())


def _written(text: str, findings: Sequence[Finding], names: dict[tuple[Kind, str], str]) -> str:
    for finding in sorted(findings, key=lambda finding: -finding.start):
        text = text[: finding.start] + names[finding.kind, _common(finding.text)] + text[finding.end :]
    return text


def _cipher(key: bytes) -> Any:
    try:
        aead = import_module("cryptography.hazmat.primitives.ciphers.aead")
    except ModuleNotFoundError as error:
        raise MissingExtra("cryptography", "curate") from error
    return aead.AESSIV(key)


def _sealed(kind: Kind, value: str, key: bytes) -> str:
    return base64.b32encode(_cipher(key).encrypt(value.encode("utf-8"), [kind.encode()])).decode().rstrip("=")


def restored(text: str, key: bytes) -> str:
    """`text` with each pseudonym turned back into what it stands for (in common width, without spaces).

    Raises:
        UsageError: a pseudonym was altered, or made by another key.
    """
    cipher = _cipher(key)

    def opened(match: re.Match[str]) -> str:
        sealed = match[2] + "=" * (-len(match[2]) % 8)
        try:
            data: bytes = cipher.decrypt(base64.b32decode(sealed), [_KINDS_BY_LABEL[match[1]].encode()])
        except Exception:  # the library's own tree and base32's faults: all mean one thing to the reader
            fix = "Use the key that the pool was made with"
            raise UsageError("a pseudonym was altered or made by another key", where=match[0], fix=fix) from None
        return data.decode("utf-8")

    return _TOKEN.sub(opened, text)


def new_key(path: Path) -> None:
    """Write a new key to `path`, readable by its owner alone.

    Raises:
        UsageError: there is a file already; a key that is overwritten opens nothing any more.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError("there is a key already", where=path, fix="Name another file, or use this key") from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(os.urandom(_KEY_BYTES).hex() + "\n")


def read_key(path: Path) -> bytes:
    """The key in the file at `path`.

    Raises:
        UsageError: there is no such file.
        DataError: it holds no key.
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        fix = f"Make one: python -m tensaku.curate.personal new-key {path}"
        raise UsageError("there is no key", where=path, fix=fix) from None
    except (ValueError, UnicodeDecodeError):
        raise DataError("this is no key", file=path) from None
    if len(key) != _KEY_BYTES:
        raise DataError(f"this is no key of {_KEY_BYTES} bytes", file=path)
    return key
