"""Negated predicates, Japanese and English, without the set phrases that negate nothing."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from tensaku.text.split import sentences
from tensaku.text.sudachi import words

__all__ = ["Negation", "negations"]


class Negation(NamedTuple):
    """A negated predicate in folded text: from the predicate to the end of its negation."""

    start: int
    end: int


# What may hold a negation at all; most sentences of a report hold none, and then Sudachi need not run.
_HINT = re.compile(r"な[いかくけさし]|ず|ぬ|ません|無[いかくけし]|[かさたなまらわばがせ]ん(?![一-鿿])")

# Set phrases whose negation is not one. Matched around the negating word; kept in the order of how often they occur.
_PHRASES = re.compile(
    r"かも(?:しれ|知れ)(?:ない|ぬ|ません|ず|なく|なかっ)"  # may
    r"|に(?:は|も)?(?:すぎ|過ぎ)(?:ない|なかっ|なく|ません|ず|ぬ)"  # is only
    r"|(?:だけ|ばかり|のみ)(?:で|じゃ)(?:は)?(?:なく|ない)|のみならず|だけ(?:に)?(?:とどまら|留まら)ず"  # not only
    r"|(?:な(?:けれ|くて|きゃ)(?:ば|は)?|ねば)(?:なら|いけ)(?:ない|なかっ|なく|ず|ぬ)"  # must
    r"|(?:な(?:けれ|くて|きゃ)(?:ば|は)?|ねば)(?:なり|いけ)ませ(?:ん)"
    r"|ないと(?:いけ|なら|なりま)(?:ない|なかっ|ません|せん)"
    r"|ざるを?(?:得|え)(?:ない|なかっ|なく|ず|ぬ|ません)"  # cannot but
    r"|(?:に|と)?(?:は|も)?(?:ほか|他)(?:なら)(?:ない|なかっ|ず|ぬ|なりません)|ほかない"
    r"|(?:に|の)?(?:間違い|違い|相違)(?:は|も)?(?:ない|なく|なかっ|ありません)"  # certainly
    r"|(?:やむ|止む)(?:を)?(?:得|え)?(?:ない|なく|なき|なし|ず)|(?:やむ|止む)を(?:得|え)(?:ません|なかっ)"
    r"|(?:かか|関|拘)わらず|(?:を)?問わず|(?:に|とは?)?(?:限らず)|(?:に)?(?:とどまら|留まら|止まら)ず"
    r"|相変わらず|(?:に)?(?:絶え|たえ)ず|少なからず|(?:のみ)ならず|思わず|(?:遠から)ず|(?:人)?知れず|(?:取り|とり)(?:あえ|敢え)ず|おのずと?|いずれ|はず|まず|必ず|わずか|ずつ|ずれ"
    r"|(?:欠か|かか)(?:せ|すことができ|すことのでき|すことはでき)(?:ない|なかっ|ません|なく|ず)"  # indispensable
    r"|(?:言|い)うまでも(?:ない|なく|ありません)|(?:間|ま)も(?:なく|ない)|(?:仕方|しかた|もったい|とんでも|さりげ|何気|なにげ)(?:が|も)?(?:ない|なく)"
    r"|申し?訳(?:が|は)?(?:ない|なく|なかっ|ありませ|ござ[いり]ませ)ん?|すみません|すいません"
    r"|(?:で|じゃ)は?(?:ない|ありません)(?:だろう|でしょう)?か|ない(?:だろう|でしょう)か|ませんか"  # is it not
    r"|ないか(?=[。？?])|(?:ない|[かがさたばまら]ん)(?=[？?])"
    r"|ないし(?=[一-鿿0-9])"  # or
)
_NEG_LEMMAS = frozenset({"ない", "無い", "ず", "ぬ", "ざる", "まい"})
_ONLY = re.compile(r"しか(?:[^。、\n]{0,14})$")

_ENGLISH = re.compile(r"\b(?:cannot|never|neither|nor|without)\b|\b(?:not|no)\b|\b[a-z]+n't\b", re.IGNORECASE)
_ENGLISH_PHRASES = re.compile(
    r"\bnot only\b|\bno doubt\b|\bwhether or not\b|\bno\. ?\d|\bnot least\b|\bno less than\b|\bif not\b", re.IGNORECASE
)


def _japanese(text: str) -> list[Negation]:
    if not _HINT.search(text):
        return []
    phrases = [found.span() for found in _PHRASES.finditer(text)]
    found: list[Negation] = []
    tokens = words(text)
    for i, word in enumerate(tokens):
        if not _negates(word.text, word.lemma, word.pos):
            continue
        if any(start < word.end and word.start < end for start, end in phrases):
            continue
        if _ONLY.search(text, max(0, word.start - 18), word.start):
            continue
        first = i
        while (
            first > 0
            and tokens[first - 1].pos.startswith(("助動詞", "助詞", "動詞-非自立", "動詞"))
            and word.start - tokens[first - 1].start < 8
        ):
            first -= 1
            if tokens[first].pos.startswith("動詞-一般"):
                break
        found.append(Negation(tokens[max(0, first)].start, word.end))
    return found


def _negates(surface: str, lemma: str, pos: str) -> bool:
    if pos.startswith(("助動詞", "形容詞-非自立")):
        return lemma in _NEG_LEMMAS and (lemma != "まい")
    return surface in ("なし", "無し") and pos.startswith(("名詞", "形容詞", "接尾辞"))


def negations(text: str) -> list[Negation]:
    """The negated predicates of folded `text`, in order."""
    found: list[Negation] = []
    for sentence in sentences(text):
        found += (Negation(sentence.start + n.start, sentence.start + n.end) for n in _negations(sentence.text))
    return found


@lru_cache(maxsize=4096)
def _negations(sentence: str) -> tuple[Negation, ...]:
    """Kept between calls: while somebody types, all sentences but one are the same as before."""
    phrases = [found.span() for found in _ENGLISH_PHRASES.finditer(sentence)]
    found = [
        Negation(*match.span())
        for match in _ENGLISH.finditer(sentence)
        if not any(start < match.end() and match.start() < end for start, end in phrases)
    ]
    return tuple(sorted([*found, *_japanese(sentence)]))
