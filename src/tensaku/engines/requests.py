"""What every engine over a folder asks of a request, and what its base is known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path

from tensaku.engines.protocol import Request
from tensaku.errors import UsageError
from tensaku.models.fingerprint import weights_hash

__all__ = [
    "ADAPTER_FILES",
    "TooLong",
    "Unable",
    "adapter_contents",
    "adapter_hash",
    "base_hash",
    "check_fits",
    "check_request",
    "contents_hash",
    "needs",
]

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
"""What an adapter in PEFT's layout is made of."""


_WHY = {"tools": "its model's chat template has no tools"}


class Unable(UsageError):
    """The engine has not the ability that a request needs; `field` is the request's field that needs it, `why`
    says what is missing."""

    def __init__(self, ability: str, field: str) -> None:
        self.ability, self.field = ability, field
        self.why = _WHY.get(ability, f"it has no {ability}")
        super().__init__(f"this engine does not offer {field!r} ({self.why})", fix="Leave it out")


class TooLong(UsageError):
    """A prompt leaves no room for an answer in the engine's context."""


def needs(request: Request) -> dict[str, str]:
    """The abilities that a request needs, each with the field that needs it."""
    found = {}
    if request.temperature > 0:
        found["sampling"] = "temperature"
    if request.logprobs is not None:
        found["logprobs"] = "logprobs"
    if request.schema is not None:
        found["json"] = "response_format"
    if request.text is not None:
        found["text"] = "prompt"
    if request.facts is not None:
        found["facts"] = "facts"
    if request.tools is not None:
        found["tools"] = "tools"
    if request.choices:
        found["choices"] = "choices"
    return found


def check_request(request: Request, can: Collection[str] = ()) -> None:
    """Refuse a request that makes no sense, or that needs an ability which is not among `can`.

    Raises:
        Unable: names the field and the ability.
        UsageError: it has no messages, asks for no token, or a stop string is empty.
    """
    for ability, field in needs(request).items():
        if ability not in can:
            raise Unable(ability, field)
    if not request.messages and request.text is None:
        raise UsageError("the request has no messages")
    if request.max_tokens < 1:
        raise UsageError(f"max_tokens is {request.max_tokens}", fix="Ask for at least 1 token")
    if not all(request.stop):
        raise UsageError("a stop string is empty", fix="Leave it out")


def check_fits(request: Request, length: int, context: int) -> None:
    """Refuse a prompt of `length` tokens that leaves no room for an answer in the context.

    Raises:
        TooLong: says how much would fit.
    """
    if length < context:
        return
    characters = sum(len(message.content) for message in request.messages) + len(request.text or "")
    fits = characters * (context - 1) // length
    what = (
        f"the text is too long: with its instruction {length:,} tokens ({characters:,} characters), "
        f"the engine's context holds {context:,} with the answer"
    )
    fix = f"Shorten or split it: text and answer together may have about {fits:,} characters"
    raise TooLong(what, fix=fix)


def adapter_contents(folder: Path) -> list[bytes]:
    """What the adapter's files hold, in the order of `ADAPTER_FILES`.

    Raises:
        UsageError: one of them is missing or cannot be read.
    """
    contents = []
    for name in ADAPTER_FILES:
        try:
            contents.append((folder / name).read_bytes())
        except FileNotFoundError:
            what = f"this folder is no adapter: it has no {name}"
            raise UsageError(what, where=folder, fix="Name a folder that PEFT's save_pretrained wrote") from None
        except OSError as error:
            raise UsageError(f"the adapter cannot be read ({error.strerror})", where=folder / name) from None
    return contents


def contents_hash(contents: Sequence[bytes]) -> str:
    """Content hash of an adapter: SHA-256 (hex) over the SHA-256 of its configuration and of its weights."""
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def adapter_hash(folder: Path) -> str:
    """Content hash of the adapter in `folder`.

    Raises:
        UsageError: one of its files is missing or cannot be read.
    """
    return contents_hash(adapter_contents(folder))


def base_hash(base: Path) -> str:
    """The hash of a base's weights, from its artifact's manifest if it has one."""
    manifest = base / "manifest.json"
    if manifest.exists():
        facts = json.loads(manifest.read_text(encoding="utf-8")).get("facts", {})
        if isinstance(facts.get("sha256"), str):
            return str(facts["sha256"])
    return weights_hash(base)
