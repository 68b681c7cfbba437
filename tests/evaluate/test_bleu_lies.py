"""The table of docs/evaluate.md: texts that are wrong and score high, a text that is right and scores low."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tensaku import text
from tensaku.evaluate.edits import Counts, find_edits

metrics: Any = pytest.importorskip("sacrebleu.metrics")
RealData = Callable[[str], Path]
DIGIT = re.compile(r"\d(?=\D*$)")


def bleu(outputs: Sequence[str], references: Sequence[str], tokenize: str = "ja-mecab") -> float:
    return round(float(metrics.BLEU(tokenize=tokenize).corpus_score(outputs, [references]).score), 1)


def kept(outputs: Sequence[str], references: Sequence[str]) -> int:
    return sum(text.compare(good, made).kept for good, made in zip(references, outputs, strict=True))


@pytest.fixture(scope="module")
def reports(real_data: RealData) -> list[str]:
    """The sentences of the annual reports of chabsa."""
    files = sorted(real_data("chabsa").glob("*_ann.json"))
    return [held["sentence"] for file in files for held in json.loads(file.read_text(encoding="utf-8"))["sentences"]]


@pytest.fixture(scope="module")
def statements(real_data: RealData) -> list[str]:
    files = sorted((real_data("fomc_statements") / "statements").glob("*.txt"))
    return [" ".join(file.read_text(encoding="utf-8").split()) for file in files]


def test_one_figure_of_each_sentence_is_wrong(reports: list[str]) -> None:
    told = [sentence for sentence in reports if re.search(r"\d[.,]\d", sentence)]
    wrong = [DIGIT.sub(lambda found: str((int(found[0]) + 1) % 10), sentence) for sentence in told]
    assert (len(told), bleu(wrong, told), kept(wrong, told)) == (742, 95.6, 0)


def test_up_for_down(reports: list[str]) -> None:
    told = [sentence for sentence in reports if "増" in sentence or "減" in sentence]
    wrong = [sentence.translate(str.maketrans("増減", "減増")) for sentence in told]
    assert (len(told), bleu(wrong, told), kept(wrong, told)) == (1275, 89.6, 631)
    some = list(zip(told, wrong, strict=True))[::10]
    counts = sum((find_edits(good, good, made).counts for good, made in some), Counts())
    assert counts.right == counts.wrong == counts.missed == 0
    assert counts.needless > len(some)


def test_sentences_in_reverse(statements: list[str]) -> None:
    told = [statement for statement in statements if statement.count(". ") > 5]
    turned = [" ".join(re.split(r"(?<=\.) ", statement)[::-1]) for statement in told]
    moved = sum(len(text.reordered(good, made)) for good, made in zip(told, turned, strict=True))
    assert (len(told), bleu(turned, told, "13a"), moved) == (87, 95.8, 662)


def test_the_contrary_of_a_statement(statements: list[str]) -> None:
    [told] = [s for s in statements if "rate at 5-1/4 percent. Economic growth slowed in the first part" in s]
    for old, new, score, facts in (
        ("5-1/4", "5-3/4", 98.7, False),
        ("inflation will fail to moderate", "inflation will moderate", 98.2, True),
    ):
        made = told.replace(old, new)
        assert made != told
        assert bleu([made], [told], "13a") == score
        assert text.compare(told, made).kept == facts
        assert find_edits(told, told, made).counts.needless == 1


def test_another_persons_words(real_data: RealData) -> None:
    formal, informal = (
        (real_data("pastel_jp") / "Formality" / name).read_text(encoding="utf-8").splitlines()
        for name in ("formal.txt", "informal.txt")
    )
    assert (len(formal), bleu(informal, formal), kept(informal, formal)) == (120, 33.7, 115)
