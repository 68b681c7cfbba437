"""Replacements mined from lessons: what they learn, what they leave alone, and that they are the same each time."""

from __future__ import annotations

import random

from tensaku.evaluate.rewriting import best_rules, rewrite
from tensaku.records import Pair


def lesson(number: int, draft: str, final: str) -> Pair:
    return Pair(f"p{number}", draft, final, "社", "ファンド", "market", f"2025-{number % 12 + 1:02d}", f"f{number}")


def desk(n: int) -> list[Pair]:
    """ウェイト always becomes 組入比率, ました becomes た, a full-width sign a narrow one; 株価 stays."""
    sectors = ["銀行", "機械", "食品", "電機", "化学", "鉄鋼", "海運"]
    out = []
    for number in range(n):
        name = sectors[number % 7]
        draft = f"{name}株のウェイトを{number % 9 + 1}.{number % 7}％引き上げました。株価は堅調であった。"
        final = f"{name}株の組入比率を{number % 9 + 1}.{number % 7}%引き上げた。株価は堅調であった。"
        out.append(lesson(number, draft, final))
    return out


def test_what_writers_always_do_is_learnt_and_holds_for_figures_never_seen() -> None:
    rules = best_rules(desk(40))
    assert rewrite("建設株のウェイトを8.8％引き上げました。", rules) == "建設株の組入比率を8.8%引き上げた。"
    assert rewrite("株価は堅調であった。", rules) == "株価は堅調であった。"
    assert all(rule.saves > 0 for rule in rules)


def test_the_order_of_lessons_does_not_matter() -> None:
    lessons = desk(40)
    mixed = random.Random(3).sample(lessons, len(lessons))
    assert best_rules(mixed) == best_rules(lessons)


def test_what_is_as_often_wrong_as_right_is_no_rule() -> None:
    lessons = [
        lesson(n, f"第{n}回。相場は上げた。", f"第{n}回。相場は{'上昇した' if n % 2 else '上げた'}。")
        for n in range(40)
    ]
    assert best_rules(lessons) == []


def test_nothing_to_learn_leaves_the_draft_as_it_is() -> None:
    assert best_rules([]) == []
    same = [lesson(n, f"相場は{n}円。", f"相場は{n}円。") for n in range(12)]
    assert best_rules(same) == []
    assert rewrite("相場は3円。", []) == "相場は3円。"
