"""The terms that texts and questions are matched by: words, pairs of characters, readings; and a desk's own synonyms.

Width, case and half-width kana are folded (NFKC). A word counts in Sudachi's normalised form, which joins spellings
(受渡し, 受け渡し; サーバ, サーバー); its reading lets a question in kana find kanji. Pairs of characters find what no
dictionary holds.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from tensaku.errors import DataError, UsageError
from tensaku.text.sudachi import analysed

__all__ = ["Asked", "Synonyms", "asked", "folded", "number_of", "terms_of"]

_CONTENT = {"名詞", "動詞", "形容詞", "形状詞", "副詞", "接頭辞", "接尾辞"}
_EMPTY = {"為る", "居る", "有る", "成る", "言う", "事", "物", "为", "御"}
_WH = re.compile("何|誰|だれ|いつ|どこ|どの|どれ|どんな|いくつ|いくら|なぜ|どう|なに|what|who|when|where|which|why|how")
_ASKING = re.compile(f"{_WH.pattern}|何.{{0,2}}|どれ.{{0,3}}")
_TAIL = re.compile(
    r"(を?(教え|説明し|示し)て(ください|下さい)?|は?(です|でしょう|ます|ました|なの|なん)か|という|か)?[。．.？?!！\s]*$"
)
_KANA = re.compile(r"[ぁ-ゖァ-ヺー]+")


def folded(text: str) -> str:
    """`text` with width, case and runs of white space made one."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _pairs(text: str) -> list[str]:
    return [text[at : at + 2] for at in range(len(text) - 1)]


def _content(text: str) -> list[tuple[str, str, str]]:
    """Surface, normalised form and reading of each word that carries meaning."""
    return [
        (surface.casefold(), normal.casefold(), reading)
        for surface, normal, reading, pos in analysed(unicodedata.normalize("NFKC", text))
        if pos in _CONTENT
    ]


@lru_cache(maxsize=400_000)
def number_of(term: str) -> int:
    """A term's number: the first 64 bits of its BLAKE2b hash."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def terms_of(text: str) -> list[str]:
    """The terms of a text to be found, as often as they stand there: `w:` words, `r:` readings, `b:` pairs."""
    words = _content(text)
    found = [f"w:{normal}" for _, normal, _ in words]
    found += [f"r:{reading}" for _, _, reading in words if len(reading) > 1]
    found += [f"p:{one}|{two}" for (_, one, _), (_, two, _) in pairwise(words)]
    return found + [f"b:{pair}" for pair in _pairs(folded(text))]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is searched for: `words` (normalised, without question words), `pairs` of characters,
    `phrases` (words side by side), `readings` of words written in kana, and `more` words that mean the same.
    """

    text: str
    words: tuple[str, ...]
    pairs: tuple[str, ...]
    phrases: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    more: tuple[tuple[str, float], ...] = ()
    alike: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    """Words of the question, and words that together mean the same."""
    surfaces: tuple[str, ...] = ()
    """Each of `words` as it is written in the question."""


def asked(text: str, synonyms: Synonyms | None = None) -> Asked:
    """What is searched for when `text` is asked."""
    content = _content(text)
    kept = [word for word in content if not _ASKING.fullmatch(word[0]) and word[1] not in _EMPTY] or content
    bare = _TAIL.sub("", _WH.sub(" ", folded(text)))
    words: dict[str, str] = {}
    for surface, normal, _ in kept:
        words.setdefault(f"w:{normal}", surface)
    return Asked(
        text,
        tuple(words),
        tuple(f"b:{pair}" for pair in _pairs(bare) if pair.strip() == pair),
        tuple(dict.fromkeys(f"p:{a[1]}|{b[1]}" for a, b in pairwise(kept))),
        tuple(dict.fromkeys(f"r:{r}" for s, _, r in kept if _KANA.fullmatch(s) and len(r) > 2)),
        synonyms.of(text) if synonyms else (),
        synonyms.alike(text) if synonyms else (),
        tuple(words.values()),
    )


class Synonyms:
    """A desk's term list: groups of words that mean the same."""

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        self._groups = [tuple(dict.fromkeys(folded(word) for word in group if word.strip())) for group in groups]

    @classmethod
    def read(cls, path: Path) -> Synonyms:
        """The list in a TOML file: `name = ["other form", ...]`.

        Raises:
            UsageError: it cannot be read.
            DataError: it is no such list.
        """
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"the term list cannot be read ({error.strerror})", where=path) from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise DataError(
                f"the term list is no TOML ({error})", file=path, fix='Write: "受益者" = ["投資家"]'
            ) from None
        for name, forms in told.items():
            if not isinstance(forms, list) or not all(isinstance(form, str) for form in forms):
                raise DataError("this is no list of words", file=path, field=name, fix='Write: "受益者" = ["投資家"]')
        return cls([name, *forms] for name, forms in told.items())

    @classmethod
    def of_names(cls, names: Mapping[str, Sequence[str]]) -> Synonyms:
        """The house's names with the forms they are written in."""
        return cls([name, *forms] for name, forms in names.items())

    def of(self, text: str) -> tuple[tuple[str, float], ...]:
        """Terms of the words that mean the same as one in `text`, at half the weight."""
        told = folded(text)
        found: dict[str, float] = {}
        for group in self._groups:
            if any(word in told for word in group):
                for word in group:
                    if word not in told:
                        for _, normal, _ in _content(word):
                            found[f"w:{normal}"] = 0.5
                        found.update((f"b:{pair}", 0.5) for pair in _pairs(word))
        return tuple(sorted(found.items()))

    def alike(self, text: str) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
        """The terms of each word of the list that stands in `text`, with those of each form that may stand for it."""
        told = folded(text)
        found = []
        for group in self._groups:
            for here in (word for word in group if word in told):
                meant = tuple(f"w:{normal}" for _, normal, _ in _content(here))
                found += [
                    (meant, tuple(f"w:{normal}" for _, normal, _ in _content(form))) for form in group if form != here
                ]
        return tuple(found)
