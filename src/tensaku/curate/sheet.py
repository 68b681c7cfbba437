"""The data sheet of a pool: what came in, what each step did, what is in it, and what people have to decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensaku.curate.language import language_of
from tensaku.curate.personal import KINDS, find
from tensaku.curate.rows import PairFile, read_drops
from tensaku.records import Drop, Pair

if TYPE_CHECKING:
    from markupsafe import Markup

    from tensaku.report import Figure

__all__ = ["write_sheet"]

_SAMPLES = 5  # of each kind shown
_READ = 2000  # pairs read for languages and personal data, evenly over the pool
_SHOWN = 160  # characters of a sample
_FOR_PEOPLE = (
    "contradiction-for-people",
    "contradictory-twin",
    "swapped-finals",
    "swapped-sides",
    "misaligned",
    "unlikely-label",
)
_STYLE = ".sample td.w { white-space: normal; min-width: 14rem; } table.wide { width: 100%; }"


def write_sheet(facts: Mapping[str, Any], source: Path, pairs: Path, drops: Path) -> str:
    """The page, in Japanese and English: HTML that needs nothing else.

    Args:
        facts: of the pool, as its manifest will have them.
        source: the pairs before the first step; `pairs` and `drops` are what the steps left.
    """
    from tensaku.report import Figure, cards, count, page

    gone = list(read_drops(drops))
    came = sum(step["before"] for step in facts["steps"][:1]) or facts["n"]
    decide = sum(drop.reason in _FOR_PEOPLE for drop in gone)
    top = cards(
        [
            Figure("受け入れた組", count(came), "取り込みを終えた原稿と公表文の組", "pairs that came in"),
            Figure("残った組", count(facts["n"]), "教材と試験の元になる組", "pairs that stay"),
            Figure("外した組", count(len(gone)), "理由とともにすべて保管", "set aside, each with its reason"),
            Figure("判断を要する組", count(decide), "人が確かめるべきもの", "for people to look at"),
            *_back(facts.get("taken_back")),
        ]
    )
    parts = [
        _title(facts),
        top,
        _steps(facts["steps"]),
        _lengths(pairs),
        _labels(facts["datasheet"]),
        _contents(pairs, facts["n"]),
        _duplicates(gone),
        _decisions(gone),
        _mended(source, pairs),
    ]
    return page("データシート | Data sheet", parts, _STYLE)


def _back(told: Mapping[str, int] | None) -> list[Figure]:
    from tensaku.report import Figure, count

    if not told:
        return []
    return [Figure("人が戻した組", count(told["kept"]), f"求められたのは{told['asked']}組", "taken back by people")]


def _title(facts: Mapping[str, Any]) -> Markup:
    from markupsafe import Markup

    months = facts["datasheet"]["months"]
    span = f"{months['first']} - {months['last']}" if months else ""
    return Markup("<header><h1>データシート <small>Data sheet</small></h1><p>{}</p></header>").format(span)


def _steps(steps: Sequence[Mapping[str, Any]]) -> Markup:
    from tensaku.report import count, grid, section

    rows = []
    for step in steps:
        settings = ", ".join(f"{key} = {value}" for key, value in step["args"].items())
        reasons = ", ".join(f"{reason} {count(n)}" for reason, n in step["dropped"].items())
        noted = ", ".join(f"{name} {count(n)}" for name, n in [*step["noted"].items(), *_kept(step)])
        rows.append([step["step"], settings, reasons, noted, count(step["before"]), count(step["after"])])
    heads = ["工程 step", "設定 settings", "外した理由 reasons", "気づき noted", "前 before", "後 after"]
    return section("工程ごとの増減", "What each step did", grid(heads, rows, 4))


def _kept(step: Mapping[str, Any]) -> list[tuple[str, int]]:
    return [("taken back", step["taken_back"])] if "taken_back" in step else []


def _lengths(pairs: Path) -> Markup:
    from markupsafe import Markup

    from tensaku.report import Bar, bar_chart, section

    edges = (100, 200, 400, 800, 1600)
    names = ["< 100", *(f"{low} - {high - 1}" for low, high in pairwise(edges)), "1600 +"]
    counts = {side: Counter[int]() for side in ("draft", "final")}
    for pair in PairFile(pairs):
        for side, held in counts.items():
            held[sum(len(getattr(pair, side)) >= edge for edge in edges)] += 1
    charts = []
    titles = {"draft": "原稿の文字数別の割合（%）draft", "final": "公表文の文字数別の割合（%）final"}
    for side, held in counts.items():
        shares = [100 * held[place] / max(held.total(), 1) for place in range(len(names))]
        bars = [Bar(name, "tuned", share, share, share) for name, share in zip(names, shares, strict=True)]
        charts.append(bar_chart(titles[side], bars, max(10.0, *shares)))
    return section("長さの分布", "Lengths", Markup('<div class="charts">{}</div>').format(Markup().join(charts)))


def _labels(datasheet: Mapping[str, Any]) -> Markup:
    from tensaku.report import count, grid, section

    rows = []
    for field, name in (("manager", "運用会社 manager"), ("section", "区分 section"), ("fund", "ファンド fund")):
        for value, n in list(datasheet[field].items())[:12]:
            rows.append([name, value, count(n)])
    return section("内訳", "By label", grid(["項目 label", "値 value", "組 pairs"], rows, 2))


def _contents(pairs: Path, total: int) -> Markup:
    """Languages by side and personal data by kind, of at most `_READ` pairs, evenly over the pool."""
    from markupsafe import Markup

    from tensaku.report import count, grid, section

    every = max(1, -(-total // _READ))
    languages: Counter[tuple[str, str]] = Counter()
    personal: Counter[str] = Counter()
    read = 0
    for place, pair in enumerate(PairFile(pairs)):
        if place % every:
            continue
        read += 1
        for side, text in (("draft", pair.draft), ("final", pair.final)):
            languages[language_of(text), side] += 1
            personal.update({f.kind for f in find(text, KINDS)})
    names = sorted({name for name, _ in languages})
    spoken = [[name, count(languages[name, "draft"]), count(languages[name, "final"])] for name in names]
    found = [[kind, count(personal[kind])] for kind in KINDS if personal[kind]]
    told = Markup("<p>{} / {} 組を調べた結果です。 Of {} pairs of {}.</p>").format(read, total, read, total)
    none = Markup("<p>個人情報は見つかりませんでした。 No personal data was found.</p>")
    return section(
        "言語と個人情報",
        "Languages and personal data",
        told
        + grid(["言語 language", "原稿 drafts", "公表文 finals"], spoken)
        + (grid(["種類 kind", "文 texts"], found) if found else none),
    )


def _duplicates(gone: Sequence[Drop]) -> Markup:
    """How large the groups are that drops and the partners they were set aside for make."""
    from markupsafe import Markup

    from tensaku.report import count, grid, section

    groups = Counter(drop.partner for drop in gone if drop.partner)
    sizes = Counter(n + 1 for n in groups.values())
    if not sizes:
        return section("重複", "Duplicates", Markup("<p>重複はありません。 There are none.</p>"))
    rows = [[f"{size}", count(n)] for size, n in sorted(sizes.items())]
    largest = [[partner, count(n)] for partner, n in groups.most_common(_SAMPLES)]
    heads = ["群の大きさ size of group", "群 groups"]
    return section("重複", "Duplicates", grid(heads, rows) + grid(["残した行 kept row", "外した組 set aside"], largest))


def _decisions(gone: Sequence[Drop]) -> Markup:
    """What people have to decide, and some of every reason, with the drop's own words."""
    from markupsafe import Markup

    from tensaku.report import grid, section

    shown: list[list[str]] = []
    seen: Counter[str] = Counter()
    for drop in sorted(gone, key=lambda drop: drop.reason not in _FOR_PEOPLE):
        seen[drop.reason] += 1
        if seen[drop.reason] <= _SAMPLES:
            mark = "要判断 decide" if drop.reason in _FOR_PEOPLE else ""
            shown.append([mark, drop.reason, drop.source, drop.detail, _short(drop.row.get("draft"))])
    heads = ["", "理由 reason", "行 row", "説明 detail", "原稿 draft"]
    table = grid(heads, shown, len(heads)) if shown else Markup("<p>ありません。 None.</p>")
    return section("外した組と人の判断", "Set aside, and for people to decide", table)


def _mended(source: Path, pairs: Path) -> Markup:
    """Some texts before and after the steps, those that a step changed."""
    from markupsafe import Markup

    from tensaku.report import grid, section

    rows: list[list[str]] = []
    kept = {pair.source: pair for pair in _first(PairFile(pairs), _READ)}
    for pair in _first(PairFile(source), _READ * 2):
        after = kept.get(pair.source)
        if after is None or len(rows) >= _SAMPLES:
            continue
        for was, now in ((pair.draft, after.draft), (pair.final, after.final)):
            if was != now:
                rows.append([pair.source, _around(was, now), _around(now, was)])
    if not rows:
        text = Markup("<p>本文を書き換えた組はありません。 No text was changed.</p>")
        return section("前と後", "Before and after", text)
    return section("前と後", "Before and after", grid(["行 row", "前 before", "後 after"], rows, 3))


def _first(rows: PairFile, most: int) -> list[Pair]:
    out = []
    for pair in rows:
        out.append(pair)
        if len(out) >= most:
            break
    return out


def _around(text: str, other: str) -> str:
    """The piece of `text` where it begins to differ from `other`."""
    same = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    start = max(0, same - 20)
    return ("..." if start else "") + _short(text[start:])


def _short(text: object) -> str:
    said = str(text or "")
    return said if len(said) <= _SHOWN else said[:_SHOWN] + "..."
