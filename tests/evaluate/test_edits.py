"""Changes made, missed, needless and wrong: cases worked out by hand, a published one, and what must always hold."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.evaluate.edits import Counts, Place, f_half, find_edits, places
from tensaku.evaluate.scoring import Texts, measure_rows
from tensaku.plugins import scorers

DRAFT = "今月の市場は3.2％値上がりしました。日銀の利上げ観測が後退しました。"
FINAL = "当月の市場は3.2%上昇した。日本銀行の利上げ観測が後退した。"


def told(output: str, reference: str = FINAL, draft: str = DRAFT) -> Counts:
    return find_edits(draft, reference, output).counts


def test_each_kind_of_outcome_by_hand() -> None:
    output = "当月の市場は3.2％下落した。日銀の利上げ期待が後退した。"
    assert [(place.what, place.draft, place.wanted, place.made) for place in places(DRAFT, FINAL, output)] == [
        ("right", "今月", "当月", "当月"),
        ("missed", "3.2％", "3.2%", "3.2％"),
        ("wrong", "値上がり", "上昇", "下落"),
        ("right", "まし", "", ""),
        ("missed", "日銀", "日本銀行", "日銀"),
        ("needless", "観測", "観測", "期待"),
        ("right", "まし", "", ""),
    ]
    counts = told(output)
    assert counts == Counts(right=3, wrong=1, missed=2, needless=1)
    assert (counts.precision, counts.recall) == (3 / 5, 3 / 6)
    assert told(DRAFT) == Counts(missed=6)


def test_the_kinds_by_hand() -> None:
    kinds = {place.draft: place.kind for place in places(DRAFT, FINAL, DRAFT)}
    assert kinds["3.2％"] == "figure"
    assert kinds["日銀"] == "term"
    assert [place.kind for place in places("株高が進みました。", "株高が進んだ。", "株高が進みました。")][
        -1
    ] == "ending"
    cut = places("さて、株高が進んだ。", "株高が進んだ。", "株高が進んだ。")
    assert [(place.what, place.kind) for place in cut] == [("right", "joint")]
    mark = places("株高、円安が進んだ。", "株高円安が進んだ。", "株高、円安が進んだ。")
    assert [(place.what, place.kind) for place in mark] == [("missed", "mark")]


def test_f_half_by_hand() -> None:
    # 1.25 * 0.5 * 0.25 / (0.25 * 0.5 + 0.25) = 0.15625 / 0.375
    assert f_half(0.5, 0.25) == pytest.approx(0.4166667)
    assert f_half(0.0, 0.0) == 0
    assert Counts(right=3, wrong=1, missed=2, needless=2).precision == 0.5
    assert Counts(right=3, wrong=1, missed=2, needless=2).recall == 0.5


M2 = [
    # draft, reference, output: the example of the M2 scorer (Dahlmeier and Ng 2012), annotation 1 of the second line
    ("The cat sat at mat .", "The cat sat on the mat .", "A cat sat on the mat ."),
    ("The dog .", "The dog .", "The dog ."),
    ("Giant otters is an apex predator .", "Giant otters are apex predators .", "Giant otters are apex predator ."),
]


def _words(place: Place) -> int:
    """Its annotators count word by word: `at` into `on the` is two changes, `is an` into `are` too."""
    return max(len(side.split()) for side in (place.draft, place.made, place.wanted))


def test_the_published_example_of_the_m2_scorer() -> None:
    """Published: precision 0.8, recall 0.8, F0.5 0.8: 4 right, 1 needless (The -> A), 1 missed (predators)."""
    found = [place for case in M2 for place in places(*case)]
    counts = Counts(**{
        what: sum(_words(place) for place in found if place.what == what)
        for what in ("right", "wrong", "missed", "needless")
    })  # fmt: skip
    assert counts == Counts(right=4, missed=1, needless=1)
    assert (counts.precision, counts.recall, counts.f_half) == pytest.approx((0.8, 0.8, 0.8))


def test_the_scorer_gives_the_f_half_of_all_places_together() -> None:
    drafts, finals, outputs = zip(*M2, strict=True)
    part = scorers.build({"scorer": "edits"})
    score = measure_rows("edits", part(), {"a": Texts(drafts, outputs, finals)}, 100, 1).scores["a"]
    counts = sum((find_edits(*case).counts for case in M2), Counts())
    assert score.value == pytest.approx(100 * counts.f_half)
    assert counts == Counts(right=3, missed=1, needless=1)  # `is` to `are` and `an` taken out are two changes


def test_what_is_left_to_itself_costs_nothing(real_data: Callable[[str], Path]) -> None:
    """keigo_transfer: 無変換 sentences must stay as they are. Doing nothing is faultless there, a machine that makes
    every sentence more honorific is not, whatever BLEU says of it."""
    with (real_data("keigo_transfer") / "annot_data_1.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    # 11 of the 237 with that label were tidied all the same (white space, a bracket), so the texts decide
    alone = [row for row in rows if row["変換ラベル"] == "無変換" and row["元文"] == row["変換文"]]
    assert len(alone) == 226
    for row in alone:
        counts = told(row["元文"], row["変換文"], row["元文"])
        assert counts == Counts()
    touched = [row["元文"] for row in alone if row["元文"].endswith("ました。")]
    assert len(touched) > 20
    for sentence in touched:
        eager = sentence.removesuffix("ました。") + "られました。"
        counts = told(eager, sentence, sentence)
        assert counts.needless > 0
        assert counts.precision == 0
    changed = [row for row in rows if row["変換ラベル"] != "無変換" and row["元文"] != row["変換文"]]
    for row in changed:
        counts = told(row["変換文"], row["変換文"], row["元文"])
        assert counts.right > 0
        assert (counts.wrong, counts.missed, counts.needless) == (0, 0, 0)


def test_bleu_prefers_doing_nothing_and_the_changes_say_why(real_data: Callable[[str], Path]) -> None:
    """The figures of docs/evaluate.md: an eager rule scores a fair BLEU with not one right change."""
    metrics = pytest.importorskip("sacrebleu.metrics")
    with (real_data("keigo_transfer") / "annot_data_1.csv").open(encoding="utf-8-sig") as file:
        rows = [(row["元文"], row["変換文"]) for row in csv.DictReader(file)]

    def eager(sentence: str) -> str:
        for end, more in (("ます。", "ております。"), ("ました。", "られました。"), ("です。", "でございます。")):
            if sentence.endswith(end):
                return sentence.removesuffix(end) + more
        return sentence

    bleu = metrics.BLEU(tokenize="ja-mecab")
    found = {}
    for name, made in (("nothing", [old for old, _ in rows]), ("eager", [eager(old) for old, _ in rows])):
        score = bleu.corpus_score(made, [[new for _, new in rows]]).score
        counts = sum((told(out, new, old) for (old, new), out in zip(rows, made, strict=True)), Counts())
        kept = sum(out == old for (old, new), out in zip(rows, made, strict=True) if old == new)
        found[name] = (round(score, 1), counts, kept)
    assert found["nothing"] == (93.4, Counts(missed=268), 229)
    assert found["eager"] == (88.5, Counts(right=0, wrong=9, missed=259, needless=198), 77)


words = st.lists(st.sampled_from(["株価", "は", "上昇", "した", "。", "3.2%", "円安", "、"]), max_size=10).map("".join)


@settings(max_examples=150, deadline=None)
@given(words, words, words)
def test_what_always_holds(draft: str, reference: str, output: str) -> None:
    counts = told(output, reference, draft)
    turned = Counter(place.what for place in places(draft, output, reference))  # wanted and made change places
    seen = Counter(place.what for place in places(draft, reference, output))
    assert (seen["right"], seen["wrong"]) == (turned["right"], turned["wrong"])
    assert (seen["missed"], seen["needless"]) == (turned["needless"], turned["missed"])
    assert counts.wanted == told(draft, reference, draft).missed  # whatever the output is
    assert 0 <= counts.f_half <= 1
    assert told(reference, reference, draft).f_half == 1
    nothing = told(draft, reference, draft)
    assert (nothing.right, nothing.wrong, nothing.needless) == (0, 0, 0)
    found = places(draft, reference, output)
    assert all(one.end <= two.start for one, two in pairwise(found))
    at, parts = 0, []
    for place in found:
        parts += [draft[at : place.start], place.wanted]
        at = place.end
    assert "".join([*parts, draft[at:]]) == reference
    edits = find_edits(draft, reference, output)
    assert 0 <= edits.overdone <= edits.alone <= len(draft)
    assert (edits.strokes == 0) == (output == reference)


def test_replacing_everything_is_wrong_everywhere_and_not_in_one_place() -> None:
    draft = "株価は３％上昇した。円は下落した。金利は低下した。"
    reference = "株価は3％上昇しました。円は下落しました。金利は低下しました。"
    wanted = find_edits(draft, reference, draft).counts.wanted
    for output in ("猫。", "まったく別の文章がここにあるだけである。", reference, draft, draft.replace("円", "ドル")):
        assert find_edits(draft, reference, output).counts.wanted == wanted >= 4, output
    replaced = find_edits(draft, reference, "猫。").counts
    assert replaced.right == 0
    assert replaced.wrong + replaced.missed == wanted
    assert replaced.needless >= 3  # the stretches between that should have been left alone
    # among nine perfect outputs, one that replaces everything costs more than one that does nothing
    good = find_edits(draft, reference, reference).counts
    nine = sum([good] * 8, good)
    assert (nine + replaced).f_half < (nine + find_edits(draft, reference, draft).counts).f_half - 0.02
