"""Labels and JSON fields by hand, and by what must always hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensaku.evaluate  # noqa: F401  (registers the scorers)
from tensaku.errors import UsageError
from tensaku.evaluate.measuring import constant
from tensaku.evaluate.scoring import Texts, measure_rows
from tensaku.plugins import scorers
from tensaku.testing import tiny_pairs


def figure(use: dict[str, object], outputs: list[str], references: list[str]) -> float:
    texts = Texts([""] * len(outputs), outputs, references)
    return measure_rows("x", scorers.build(use)(), {"a": texts}, 100, 1).scores["a"].value


def test_f1_by_hand() -> None:
    """Of 良い: 1 right of 2 said, of 2 wanted; of 悪い: 1 of 1, of 2; of 中立: none of 1, of 1. One says nonsense."""
    references = ["良い", "良い", "悪い", "悪い", "中立"]
    outputs = ["良い。", "中立", " 悪い\n", "わからない", "良い"]
    assert figure({"scorer": "f1"}, outputs, references) == pytest.approx(100 * (1 / 2 + 2 / 3 + 0) / 3)
    assert figure({"scorer": "f1", "average": "micro"}, outputs, references) == pytest.approx(100 * 2 * 2 / (4 + 5))


def test_the_usual_answer_scores_low_by_macro_f1() -> None:
    references = ["×"] * 9 + ["○"]
    assert figure({"scorer": "f1", "average": "micro"}, ["×"] * 10, references) == pytest.approx(90)
    assert figure({"scorer": "f1"}, ["×"] * 10, references) == pytest.approx(100 * (18 / 19) / 2)


labels = st.lists(st.sampled_from(["◎", "○", "□", "▲", "×"]), min_size=1, max_size=20)


@given(labels, st.randoms())
def test_f1_always(references: list[str], random: object) -> None:
    outputs = sorted(references)
    for average in ("macro", "micro"):
        use: dict[str, object] = {"scorer": "f1", "average": average}
        assert figure(use, references, references) == pytest.approx(100)
        assert 0 <= figure(use, outputs, references) <= 100
        assert figure(use, ["?"] * len(references), references) == 0
    right = sum(a == b for a, b in zip(outputs, references, strict=True))
    assert figure({"scorer": "f1", "average": "micro"}, outputs, references) == pytest.approx(
        100 * right / len(outputs)
    )


def test_fields_by_hand() -> None:
    references = ['{"会社": "ホクト", "年": 2020, "品目": ["エリンギ", "マイタケ"]}', '{"会社": "極洋"}']
    outputs = ['{"年": 2020.0, "会社": "ﾎｸﾄ", "品目": ["マイタケ", "しめじ"]}', "会社は極洋です。"]
    # right: company, year, one of two items; made 4, wanted 4 + 1
    assert figure({"scorer": "fields"}, outputs, references) == pytest.approx(100 * 2 * 3 / (4 + 5))
    assert figure({"scorer": "fields", "names": ["年"]}, outputs, references) == pytest.approx(100)
    assert figure({"scorer": "fields"}, references, references) == 100
    for nonsense in ("", "[1]", "null", "{" * 5000, '{"会社": '):
        assert figure({"scorer": "fields"}, [nonsense], references[:1]) == 0


def test_references_that_are_no_labels_or_fields_are_refused() -> None:
    with pytest.raises(UsageError, match="is no label"):
        figure({"scorer": "f1", "labels": ["○", "×"]}, ["○"], ["△"])
    texts = [f"文章{n}" for n in range(150)]
    with pytest.raises(UsageError, match="there are 150 labels"):
        figure({"scorer": "f1"}, texts, texts)
    with pytest.raises(UsageError, match="is no JSON object"):
        figure({"scorer": "fields"}, ["{}"], ["会社"])


def test_the_most_frequent_answer_is_a_row_where_finals_are_labels() -> None:
    pairs = tiny_pairs(12)
    taught = [replace(pair, final="×" if n % 2 else "○") for n, pair in enumerate(pairs)]  # levelled out
    asked = [replace(pair, final="×" if n else "○") for n, pair in enumerate(pairs[:4])]
    row = constant(taught, asked, {})
    assert row is not None
    assert [answer.text for answer in row.answers.values()] == ["×"] * 4
    assert constant(pairs, pairs, {}) is None  # comments are texts
    assert constant([], pairs, {}) is None
