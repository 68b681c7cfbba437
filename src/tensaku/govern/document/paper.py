"""The document put together: every section in its order, with what people added to it."""

from __future__ import annotations

from collections.abc import Iterator

from tensaku.govern.document import development, operation, performance
from tensaku.govern.document.known import Sealed, Standing
from tensaku.govern.document.parts import LEDGER, Block, Paper, Paragraph, Part, Value, Written
from tensaku.govern.document.words import PARTS, Language, Words
from tensaku.store import Artifact

__all__ = ["candidate_paper", "paper"]


def paper(sealed: Sealed, standing: Standing, lineage: list[Artifact], language: Language) -> Paper:
    """The whole document of a release in one language."""
    w = Words(language)
    made: dict[str, Iterator[Block]] = {
        "summary": operation.summary(sealed, standing, w),
        "purpose": development.purpose(sealed, standing, w),
        "data": development.data(sealed, w),
        "method": development.method(sealed, w),
        "assumptions": development.assumptions(sealed, w),
        "limits": development.limits(sealed, w),
        "results": performance.results(sealed, w),
        "comparison": performance.comparison(sealed, standing, w),
        "tests": performance.tests(sealed, standing, w),
        "monitoring": operation.monitoring(standing, sealed.gate.owner, w),
        "changes": operation.changes(sealed, standing, w),
        "findings": operation.findings(standing, w),
        "approval": operation.approval(standing, w),
        "evidence": operation.evidence(lineage, standing, w),
    }
    parts = tuple(Part(key, w.part(key), (*made[key], *_written(standing, key, w))) for key in PARTS)
    opening = tuple(operation.opening(sealed, standing, w))
    return Paper(language, w["title"], sealed.title, operation.status_line(standing, w), opening, parts)


def candidate_paper(sealed: Sealed, language: Language) -> Paper:
    """What can be said while a candidate is sealed, before the ledger knows it."""
    w = Words(language)
    made: dict[str, Iterator[Block]] = {
        "purpose": development.purpose(sealed, None, w),
        "data": development.data(sealed, w),
        "method": development.method(sealed, w),
        "assumptions": development.assumptions(sealed, w),
        "limits": development.limits(sealed, w),
        "results": performance.results(sealed, w),
        "comparison": performance.comparison(sealed, None, w),
        "tests": performance.tests(sealed, None, w),
        "evidence": iter([Paragraph((w["beside"],))]),
    }
    parts = tuple(Part(key, w.part(key), tuple(blocks)) for key, blocks in made.items())
    return Paper(language, w["title"], sealed.title, operation.status_line(None, w), (), parts)


def _written(standing: Standing, key: str, w: Words) -> Iterator[Block]:
    for text in standing.texts:
        if text.part == key:
            at = f"{text.row.at.astimezone():%Y-%m-%d %H:%M}"
            entry = Value(at, LEDGER, f"filing:{text.row.id}")
            yield Written(text.words(w.language), text.row.by, at, entry, text.carried)
