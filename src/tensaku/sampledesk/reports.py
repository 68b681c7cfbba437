"""Ten reports as ten managers would send them: Word, Excel, PDF and HTML files made from the month's drafts.

Each manager has headings, an order, a layout and a form of its own. What stands in them is known to the character, so
that a reader of such files can be held against it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensaku.sampledesk import report_files
from tensaku.sampledesk.content import Fund, compose, funds
from tensaku.sampledesk.desk import SEED, THIS_MONTH, Desk, build
from tensaku.sampledesk.voices import Voice, draft, voices

__all__ = ["SampleReport", "sample_reports", "write_reports"]

_Writer = Callable[[Path, "SampleReport"], None]


@dataclass(frozen=True, slots=True)
class SampleReport:
    """A report, and what is in it. `sections` are in the order in which the manager writes them."""

    file: str
    manager: str
    fund: str
    as_of: str
    sections: dict[str, str]
    headings: dict[str, str]
    returns: tuple[tuple[str, ...], ...]
    """The table of returns: periods, the fund, its benchmark and the gap, as it is shown."""

    def ordered(self) -> list[tuple[str, str]]:
        """Heading and text of each section."""
        return [(self.headings[section], text) for section, text in self.sections.items()]


# Manager, file, order and heading of the sections, how the file is made.
_FORMS: tuple[tuple[str, str, dict[str, str], _Writer], ...] = (
    (
        "m01",
        "蒼樹坂_月次運用報告書.docx",
        {"market": "市場動向", "performance": "運用経過", "outlook": "今後の見通し"},
        report_files.word_with_styles,
    ),
    (
        "m02",
        "northmill_202610.pdf",
        {"market": "1. マーケット概況", "performance": "2. ファンドの運用状況", "outlook": "3. 見通しと運用方針"},
        report_files.pdf_of_two_pages,
    ),
    (
        "m03",
        "灯台守マンスリー.xlsx",
        {"performance": "パフォーマンス要因", "market": "市況", "outlook": "投資方針"},
        report_files.excel_beside_labels,
    ),
    (
        "m04",
        "harukaze-10.html",
        {"outlook": "これからの市場と運用について", "market": "先月のマーケット", "performance": "ファンドの成績"},
        report_files.html_of_today,
    ),
    (
        "m05",
        "玄武ヶ原レポート.pdf",
        {"market": "■ 投資環境", "performance": "■ 運用概況", "outlook": "■ 今後の運用方針"},
        report_files.pdf_of_two_columns,
    ),
    (
        "m06",
        "craneford-monthly.docx",
        {"market": "市場レビュー", "performance": "ポートフォリオ・レビュー", "outlook": "アウトルック"},
        report_files.word_in_a_table,
    ),
    (
        "m07",
        "汐見ヶ原_月報.xlsx",
        {"market": "【株式・債券市場の状況】", "performance": "【運用の状況】", "outlook": "【見通し】"},
        report_files.excel_line_by_line,
    ),
    (
        "m08",
        "nanairobashi.html",
        {"performance": "◆運用実績の説明", "outlook": "◆当面の運用の考え方", "market": "◆市場概況"},
        report_files.html_of_old,
    ),
    (
        "m09",
        "雲母坂_運用コメント.pdf",
        {"market": "【相場の振り返り】", "outlook": "【先行きと運用姿勢】", "performance": "【当月の運用】"},
        report_files.pdf_narrow,
    ),
    (
        "m10",
        "清書堂.docx",
        {"performance": "（１）運用状況", "outlook": "（２）見通しと方針", "market": "（３）市場動向"},
        report_files.word_in_bold,
    ),
)


def sample_reports(desk: Desk | None = None) -> list[SampleReport]:
    """The ten reports, always the same: this month's drafts where the desk has one, else one in the manager's voice."""
    desk = desk or build()
    people = {voice.id: voice for voice in voices()}
    by_id = {fund.id: fund for fund in funds()}
    known = {(p.manager, p.fund, p.section): p.draft for p in desk.drafts}
    reports = []
    for number, (voice_id, file, headings, _) in enumerate(_FORMS):
        rng = random.Random(f"{SEED}-report-{number}")
        voice = people[voice_id]
        fund = by_id[voice.funds[number % len(voice.funds)]]
        texts = {section: _text(known, desk, voice, fund, section, rng) for section in headings}
        reports.append(SampleReport(file, voice.name, fund.name, THIS_MONTH, texts, headings, _returns(rng)))
    return reports


def write_reports(folder: Path) -> list[SampleReport]:
    """Writes the ten files into `folder`, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    reports = sample_reports()
    for report, (*_, write) in zip(reports, _FORMS, strict=True):
        write(folder / report.file, report)
    return reports


def _text(
    known: dict[tuple[str, str, str], str], desk: Desk, voice: Voice, fund: Fund, section: str, rng: random.Random
) -> str:
    written = known.get((voice.name, fund.name, section))
    if written is not None:
        return written
    statements = compose(fund, section, desk.market[THIS_MONTH], rng)
    return draft(statements, voice, fund, THIS_MONTH, rng)


def _returns(rng: random.Random) -> tuple[tuple[str, ...], ...]:
    rows: list[Sequence[str]] = [("期間", "ファンド", "ベンチマーク", "差異")]
    for period in ("1カ月", "3カ月", "6カ月", "1年", "設定来"):
        fund, benchmark = round(rng.uniform(-9, 14), 2), round(rng.uniform(-9, 14), 2)
        rows.append((period, f"{fund:.2f}%", f"{benchmark:.2f}%", f"{round(fund - benchmark, 2):+.2f}%"))
    return tuple(tuple(row) for row in rows)
