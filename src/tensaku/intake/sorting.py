"""Where a read report goes: to its sections if nothing is in doubt, else to the inbox with every reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tensaku.documents import ReadDocument, is_prose, said
from tensaku.intake.funds import FundText, by_fund, funds_told
from tensaku.intake.labels import Label, find_month, find_name
from tensaku.intake.outline import Part, outline
from tensaku.intake.section_words import NONE, Meaning, Meanings, Reports, fold_heading
from tensaku.ledger import EVERY

__all__ = ["WHY", "Known", "Reason", "Sorted", "sort_report", "texts_by_fund", "told"]

WHY: dict[str, tuple[str, str]] = {
    "manager-missing": ("運用会社名が見つかりません", "no manager's name is found in it"),
    "manager-new": ("はじめての運用会社です: {detail}", "a manager that is not known yet: {detail}"),
    "manager-several": ("運用会社名が複数あります: {detail}", "several managers are named: {detail}"),
    "fund-missing": ("ファンド名が見つかりません", "no fund's name is found in it"),
    "fund-new": ("はじめてのファンドです: {detail}", "a fund that is not known yet: {detail}"),
    "fund-several": ("ファンド名が複数あります: {detail}", "several funds are named: {detail}"),
    "fund-differs": (
        "ほかのファンドと区分の構成が違います: {detail}",
        "it has other sections than the other funds of the file: {detail}",
    ),
    "fund-twice": ("同じファンドが離れた二か所にあります: {detail}", "a fund stands there in two places: {detail}"),
    "fund-shared": ("どのファンドのものか分からない文章です: {detail}", "a text of no fund in particular: {detail}"),
    "month-missing": ("対象月が見つかりません", "the month is not named"),
    "month-several": ("対象月が複数あります: {detail}", "several months are named: {detail}"),
    "heading-unknown": ("どの区分か分からない見出しです: {detail}", "a heading of no known section: {detail}"),
    "heading-doubtful": ("二つの区分に読める見出しです: {detail}", "a heading that means two sections: {detail}"),
    "heading-repeated": ("同じ見出しが何度もあります: {detail}", "a heading stands there several times: {detail}"),
    "no-sections": ("区分の見出しがありません", "no heading of a section is found"),
    "text-without-heading": ("見出しのない文章があります: {detail}", "text without a heading: {detail}"),
    "section-missing": (
        "いつもある区分がありません: {detail}",
        "a section that this manager has always sent is missing: {detail}",
    ),
    "too-long": ("長すぎる区分があります: {detail}", "a section is too long: {detail}"),
    "drafts-exist": (
        "この会社・ファンド・月の原稿がすでにあります: {detail}",
        "there are drafts of it already, with another text: {detail}",
    ),
    "fund-of-others": (
        "受付した人に権限のないファンドです: {detail}",
        "whoever brought it in has no right to the fund: {detail}",
    ),
}  # fmt: skip
"""Code of a doubt -> what is said in Japanese and in English; a file's own faults and notes have their words there."""

_LONG_PREAMBLE = 120  # characters of sentences before the first heading that a greeting has at most


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a report waits in the inbox."""

    code: str
    detail: str = ""


def told(reason: Mapping[str, str], language: str = "en") -> str:
    """A reason in words."""
    code, detail = reason["code"], reason.get("detail", "")
    if code not in WHY:
        return said(code, detail, language)
    return WHY[code][0 if language == "ja" else 1].format(detail=detail)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before a report is opened.

    `learnt` maps manager -> folded heading -> section; `given` is what whoever brings it in says (`manager`, `fund`,
    `as_of`), which counts more than what stands in it.
    """

    managers: Collection[str]
    funds: Collection[str]
    learnt: Mapping[str, Mapping[str, str]]
    given: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sorted:
    """What was found. `parts` have heading, folded heading, section (empty: not known), text, place, and their `fund`
    where the file speaks of several; `fund` then names them all.
    """

    manager: str
    fund: str
    as_of: str
    parts: tuple[Mapping[str, str], ...]
    reasons: tuple[Reason, ...]
    guesses: Mapping[str, str]

    def texts(self) -> dict[tuple[str, str], str]:
        """Fund and section -> its text."""
        return texts_by_fund(self.parts, self.fund)


def texts_by_fund(parts: Sequence[Mapping[str, str]], fund: str) -> dict[tuple[str, str], str]:
    """Fund and section -> its text; parts that name no fund of their own are of `fund`, those of `EVERY` of each."""
    of = [part.get("fund") or fund for part in parts]
    found: dict[tuple[str, str], str] = {}
    speaking = [name for part, name in zip(parts, of, strict=True) if part["section"] not in ("", NONE)]
    for one in dict.fromkeys(name for name in speaking if name != EVERY):
        own = [part for part, name in zip(parts, of, strict=True) if name in (one, EVERY)]
        found |= {(one, section): text for section, text in gathered_texts(own).items()}
    return found


def gathered_texts(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Section -> the texts of its parts, one below the other."""
    found: dict[str, list[str]] = {}
    for part in parts:
        if part["section"] not in ("", NONE) and part["text"].strip():
            found.setdefault(part["section"], []).append(part["text"])
    return {section: "\n".join(texts) for section, texts in found.items()}


def sort_report(name: str, document: ReadDocument, cfg: Reports, known: Known) -> Sorted:
    """Find manager, fund, month and sections of a document."""
    anybody = Meanings({}, cfg.sections)
    everything = {folded for table in known.learnt.values() for folded in table}
    looks = _looks(anybody, everything)
    parts = outline(document, looks)
    places = _places(name, document, parts, looks)
    pieces = [] if known.given.get("fund") else _several(document, known, looks)
    several = funds_told([piece.fund for piece in pieces if piece.fund])
    labels = {
        "manager": _given(known.given.get("manager")) or find_name("manager", known.managers, places),
        "fund": _given(several or known.given.get("fund")) or find_name("fund", known.funds, places),
        "month": _given(known.given.get("as_of")) or find_month(places),
    }
    reasons = [Reason(note.code, note.detail) for note in document.notes if note.grave]
    for kind, label in labels.items():
        if label.why:
            reasons.append(Reason(f"{kind}-{label.why}", "、".join(label.guesses)))
    manager = labels["manager"].value
    learnt = known.learnt.get(manager, {})
    meanings = Meanings(learnt, cfg.sections)
    if pieces:
        found, doubts = _sort_funds(pieces, meanings, looks, cfg)
        reasons += doubts
    else:
        found = tuple(_parts(parts, meanings))
        reasons += _doubts(found, parts, learnt, cfg)
    guesses = {kind: label.value or next(iter(label.guesses), "") for kind, label in labels.items()}
    return Sorted(manager, labels["fund"].value, labels["month"].value, found, tuple(reasons), guesses)


def _several(document: ReadDocument, known: Known, looks: Callable[[str], bool]) -> list[FundText]:
    """The pieces of a file that speaks of several funds, those without a section joined to the one before; else none.

    A table of contents or of returns names funds too, and has no sections.
    """
    joined: list[FundText] = []
    for piece in by_fund(document, known.funds):
        speaks = any(
            part.heading and looks(part.heading) and part.text.strip() for part in outline(piece.document, looks)
        )
        if joined and not speaks:
            pages = (*joined[-1].document.pages, *piece.document.pages)
            joined[-1] = FundText(joined[-1].fund, ReadDocument(document.kind, pages))
        else:
            joined.append(piece)
    return joined if len({piece.fund for piece in joined if piece.fund}) > 1 else []


def _sort_funds(
    pieces: Sequence[FundText], meanings: Meanings, looks: Callable[[str], bool], cfg: Reports
) -> tuple[tuple[Mapping[str, str], ...], list[Reason]]:
    """The parts of every fund, and what is in doubt: all funds of a file have the same sections, each in one place."""
    found: list[Mapping[str, str]] = []
    reasons: list[Reason] = []
    sections: dict[str, frozenset[str]] = {}
    for piece in pieces:
        parts = outline(piece.document, looks)
        own = [{**part, "fund": piece.fund} for part in _parts(parts, meanings)]
        found += own
        if not piece.fund:
            reasons += [Reason("fund-shared", part["heading"] or part["text"][:30]) for part in own if _shared(part)]
            continue
        doubts = _doubts(own, parts, meanings.learnt, cfg)
        reasons += [Reason(doubt.code, f"{piece.fund} {doubt.detail}".strip()) for doubt in doubts]
        if piece.fund in sections:
            reasons.append(Reason("fund-twice", piece.fund))
        sections[piece.fund] = frozenset(gathered_texts(own))
    usual = Counter(sections.values()).most_common(1)[0][0]
    reasons += [Reason("fund-differs", fund) for fund, held in sections.items() if held != usual]
    return tuple(found), reasons


def _shared(part: Mapping[str, str]) -> bool:
    """Whether a part before the first fund's name could be a comment: a greeting is none."""
    return _matters(part["text"]) if part["heading"] else len(part["text"]) > _LONG_PREAMBLE


def _given(value: str | None) -> Label | None:
    return Label(value) if value else None


def _looks(anybody: Meanings, everything: Collection[str]) -> Callable[[str], bool]:
    def looks(line: str) -> bool:
        return bool(anybody.of(line).section) or fold_heading(line) in everything

    return looks


def _places(name: str, document: ReadDocument, parts: Sequence[Part], looks: Callable[[str], bool]) -> list[list[str]]:
    """Where names and months stand: above the first section, on every page, in the file's name, beside the sections."""
    head: list[str] = []
    for part in parts:
        if part.heading and looks(part.heading) and part.texts:
            break
        head += [part.heading, *part.texts, *part.aside]
    furniture = [block.text for _, block in document.blocks() if block.kind == "furniture"]
    names = [page.name for page in document.pages if page.name]
    rest = [part.heading for part in parts if not looks(part.heading)] + [text for part in parts for text in part.aside]
    return [[*head, *furniture, *names], [name], rest]


def _parts(parts: Sequence[Part], meanings: Meanings) -> Iterable[Mapping[str, str]]:
    """The parts with a text, each with what its heading means.

    A heading that stands there several times (国内株式 below the market and below the performance) means nothing by
    itself: it is known by the section above it.
    """
    texts = [part for part in parts if part.text.strip()]
    often = Counter(fold_heading(part.heading) for part in texts)
    above = ""
    for part in texts:
        folded = fold_heading(part.heading)
        if not part.heading:
            meaning = Meaning(NONE, "known")
        elif often[folded] > 1:
            folded = f"{above}/{folded}"
            meaning = meanings.under(folded)
        else:
            meaning = meanings.of(part.heading)
            above = meaning.section or above
        yield {
            "heading": part.heading,
            "folded": folded,
            "section": meaning.section,
            "how": meaning.how,
            "text": part.text.strip(),
            "place": part.place,
        }


def _doubts(
    found: Sequence[Mapping[str, str]], parts: Sequence[Part], learnt: Mapping[str, str], cfg: Reports
) -> list[Reason]:
    reasons = [
        Reason(f"heading-{part['how']}", part["heading"])
        for part in found
        if part["how"] in ("unknown", "doubtful", "repeated") and _matters(part["text"])
    ]
    preamble = "".join(text for text in (parts[0].texts if parts else []) if is_prose(text))
    if len(preamble) > _LONG_PREAMBLE:
        reasons.append(Reason("text-without-heading", preamble[:30] + "…"))
    texts = gathered_texts(found)
    if not texts and not any(reason.code.startswith("heading") for reason in reasons):
        reasons.append(Reason("no-sections"))
    if texts:
        missing = sorted(set(learnt.values()) - {NONE} - set(texts))
        reasons += [Reason("section-missing", section) for section in missing]
    reasons += [
        Reason("too-long", f"{section}, {len(text):,}")
        for section, text in texts.items()
        if len(text) > cfg.most_characters
    ]
    return reasons


def _matters(text: str) -> bool:
    """Whether a text under a heading could be a comment: it has a sentence in it."""
    return "。" in text or len(text) > 40
