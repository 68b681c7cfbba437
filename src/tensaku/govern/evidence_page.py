"""The index page of an evidence pack, in Japanese and English."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from datetime import datetime

from markupsafe import Markup

from tensaku.govern.gaps import Gap
from tensaku.govern.principles import BASIS, PRINCIPLES, Requirement
from tensaku.report import Figure, cards, grid, page, section

__all__ = ["index_page"]

_STYLE = (
    "td { vertical-align: top; } td a { display: block; white-space: nowrap; color: var(--blue); }\n"
    ".part table { min-width: 46rem; }\n"
    ".gap { margin: 0.3rem 0; padding: 0.1rem 0 0.1rem 1rem; border-left: 3px solid var(--red); }\n"
)
_MOST = 1  # links a cell; the rest is counted


def index_page(at: datetime, files: Mapping[str, int], gaps: Sequence[Gap], opening: Mapping[str, str]) -> str:
    """The page.

    Args:
        at: the moment that the pack speaks of.
        files: every file of the pack, with its size in bytes.
        gaps: what is missing.
        opening: `champion`, `approved_by`, `approved_at`, `models`, `entries`, `holds`, `anchors`.
    """
    head = Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        "<h1>証跡一式<small>Evidence pack</small></h1>"
        '<p class="lead">{} 現在<small>as of</small></p></header>'
    ).format(f"{at:%Y-%m-%d %H:%M %Z}")
    parts = [
        head,
        _figures(gaps, opening),
        section("不足", "Gaps", _gaps(gaps)),
        *(
            section(f"原則{p.number} {p.japanese}", f"Principle {p.number}: {p.english}", _table(p.requirements, files))
            for p in PRINCIPLES
        ),
        section("対応表の根拠", "What the mapping rests on", Markup("<p>{}<small>{}</small></p>").format(*BASIS)),
        section("ファイル", "Files", _files(files)),
    ]
    return page("証跡一式 Evidence pack", parts, _STYLE)


def _figures(gaps: Sequence[Gap], opening: Mapping[str, str]) -> Markup:
    champion = opening["champion"] or "—"
    by = f"承認 {opening['approved_by']} {opening['approved_at']}" if opening["approved_by"] else "承認なし"
    log = "連鎖は完全" if opening["holds"] else "連鎖が破られている"
    return cards(
        (
            Figure(
                "使用中のモデル In use", champion.rpartition("-")[2], by, f"approved by {opening['approved_by'] or '-'}"
            ),
            Figure("モデル Models", opening["models"], "台帳の件数", "in the inventory"),
            Figure("記録 Log", opening["entries"], log, "holds" if opening["holds"] else "DOES NOT HOLD"),
            Figure("不足 Gaps", str(len(gaps)), "下に列挙", "listed below"),
        )
    )


def _gaps(gaps: Sequence[Gap]) -> Markup:
    line = Markup('<p class="gap">原則{} {}<small>Principle {}: {}</small></p>')
    return Markup().join(line.format(gap.principle, gap.ja, gap.principle, gap.en) for gap in gaps)


def _table(requirements: Sequence[Requirement], files: Mapping[str, int]) -> Markup:
    both = Markup("{}<small>{}</small>")
    rows = [
        (
            both.format(one.japanese, one.english),
            both.format(*one.control),
            Markup().join(_links(pattern, files) for pattern in one.evidence),
            Markup("<code>{}</code>").format(one.test),
        )
        for one in requirements
    ]
    heads = ("要件 Requirement", "統制 Control", "証跡 Evidence", "試験 Test")
    return grid(heads, rows, numbers_from=9)


def _links(pattern: str, files: Mapping[str, int]) -> Markup:
    found = sorted(fnmatch.filter(files, pattern))
    if not found:
        return Markup("<span>{}（なし none）</span>").format(pattern)
    shown = Markup().join(Markup('<a href="{}">{}</a>').format(name, name) for name in found[:_MOST])
    rest = Markup("<small>+ {} ({})</small>").format(len(found) - _MOST, pattern) if len(found) > _MOST else Markup()
    return shown + rest


def _files(files: Mapping[str, int]) -> Markup:
    shown = {name: size for name, size in files.items() if "/document/evidence/" not in name}
    rows = [(Markup('<a href="{}">{}</a>').format(name, name), f"{size:,}") for name, size in sorted(shown.items())]
    rest = Markup(
        "<p>ほかに、記述書の値が参照する {} ファイル。<small>And {} files that the documents link to.</small></p>"
    )
    n = len(files) - len(shown)
    return grid(("ファイル File", "バイト Bytes"), rows) + (rest.format(n, n) if n else Markup())
