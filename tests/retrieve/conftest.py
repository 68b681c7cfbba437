"""A small collection of house rules, and an index over it without a model."""

from __future__ import annotations

from pathlib import Path

import pytest

RULES = {
    "rules/運用規程_2026-01-01.md": (
        "# 運用規程\n\n第1章 総則\n\n第1条（目的） この規程は、投資信託財産の運用に関する基本事項を定める。\n"
        "２ この規程に定めのない事項は、運用委員会が定める。\n\n"
        "第3条（解約の受付） 解約の申込みは、毎営業日の午後3時までに受け付ける。\n"
        "２　前項の時刻を過ぎた申込みは、翌営業日の受付とする。\n\n"
        "| 区分 | 手数料 |\n|---|---|\n| 購入時 | 3.30% |\n| 換金時 | 0.30% |\n"
    ),
    "rules/運用規程_2026-09-01.md": (
        "# 運用規程\n\n第3条（解約の受付） 解約の申込みは、毎営業日の午後3時30分までに受け付ける。\n"
    ),
    "rules/監査/監査手帳.md": "# 監査手帳\n\n内部監査の暗号名は紅葉作戦であり、十月に抜き打ちで行う。\n",
    "rules/用語.html": "<html><body><h1>用語</h1><p>サーバーの障害は運用管理部に連絡する。</p></body></html>",
    "rules/report.txt": "Fund report\n\nThe fund rose by 2.5% in March. \n\fSecond page: fees are 1.1%.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The rules as files."""
    for name, text in RULES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path
