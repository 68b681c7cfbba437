from dataclasses import asdict
from typing import Any

import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.govern import GateResult, check
from tensaku.govern.said import told
from tensaku.plugins import gates

FACTS = {"exam_n": 100.0, "bleu_draft": 52.5, "bleu_base": 40.0, "bleu_tuned": 57.5, "facts_kept": 0.98}


@pytest.mark.parametrize(
    ("use", "passed"),
    [
        ({"gate": "beats-draft"}, True),
        ({"gate": "beats-draft", "by": 5.0}, True),
        ({"gate": "beats-draft", "by": 5.01}, False),
        ({"gate": "beats-base", "scorer": "bleu", "by": 17.5}, True),
        ({"gate": "beats-base", "by": 18.0}, False),
        ({"gate": "facts-kept", "at_least": 0.98}, True),
        ({"gate": "facts-kept", "at_least": 0.981}, False),
        ({"gate": "score", "at_least": 57.5}, True),
        ({"gate": "score", "scorer": "bleu", "at_least": 86.6}, False),
        ({"gate": "exam-size", "at_least": 100}, True),
        ({"gate": "exam-size", "at_least": 101}, False),
    ],
)
def test_a_gate_opens_at_its_bound_and_not_below(use: dict[str, Any], passed: bool) -> None:
    (found,) = check([use], FACTS)
    assert (found.passed, found.gate) == (passed, use["gate"])
    assert found.measured
    assert found.wanted


def test_every_gate_is_asked_even_if_one_says_no() -> None:
    need: list[dict[str, Any]] = [
        {"gate": "beats-draft", "by": 50.0},
        {"gate": "facts-kept"},
        {"gate": "beats-base", "by": 90.0},
    ]
    assert [r.passed for r in check(need, FACTS)] == [False, True, False]
    assert check([], FACTS) == []


def test_the_result_says_what_was_measured_and_wanted() -> None:
    (found,) = check([{"gate": "beats-draft", "by": 10.0}], FACTS)
    assert str(found.measured) == "bleu 57.50, +5.00 over the draft's 52.50"
    assert str(found.wanted) == "at least +10.00"
    assert told(found.measured, japanese=True) == "bleu 57.50（原稿のまま 52.50 に対し +5.00）"
    values = {"scorer": "bleu", "tuned": 57.5, "rival": 52.5, "better": 5.0}
    assert asdict(found)["measured"] == {"say": "beats-draft", "values": values}, "what is sealed"
    assert found.settings == {"by": 10.0}


@pytest.mark.parametrize("value", [None, "57.5", True, float("nan"), float("inf")])
def test_a_figure_that_is_none_is_refused_rather_than_passed(value: Any) -> None:
    with pytest.raises(UsageError, match="'bleu_tuned'"):
        check([{"gate": "beats-draft"}], {**FACTS, "bleu_tuned": value})


def test_a_scorer_that_was_not_run_is_named_with_those_that_were() -> None:
    with pytest.raises(UsageError, match=r"did not measure 'comet_tuned'.*bleu_tuned"):
        check([{"gate": "beats-draft", "scorer": "comet"}], FACTS)


def test_an_unknown_gate_or_setting_is_found_before_any_gate_is_asked() -> None:
    with pytest.raises(NotFound, match="Did you mean beats-draft"):
        check([{"gate": "beat-draft"}], {})
    with pytest.raises(UsageError, match="at_least"):
        check([{"gate": "facts-kept", "atleast": 0.9}], {})


def test_a_house_brings_its_own_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_parts", dict(gates._parts))

    @gates.register("no-doubles")
    def no_doubles(facts: dict[str, Any], /, *, most: int = 0) -> GateResult:
        return GateResult(facts["doubled"] <= most, str(facts["doubled"]), f"at most {most}")

    @gates.register("careless")
    def careless(facts: dict[str, Any], /) -> bool:
        return True

    assert check([{"gate": "no-doubles", "most": 1}], {"doubled": 1})[0].passed
    with pytest.raises(UsageError, match="'careless' answered True"):
        check([{"gate": "careless"}], {})


def test_a_model_must_beat_what_rules_do_alone() -> None:
    facts = {**FACTS, "bleu_rules": 55.0}
    need: list[dict[str, Any]] = [{"gate": "beats-rules", "by": 2.5}, {"gate": "beats-rules", "by": 2.6}]
    assert [r.passed for r in check(need, facts)] == [True, False]


def test_of_some_scorers_less_is_better() -> None:
    facts = {**FACTS, "lower_is_better": ["strokes"], "strokes_draft": 100.0, "strokes_tuned": 30.0}
    (found,) = check([{"gate": "beats-draft", "scorer": "strokes", "by": 70.0}], facts)
    assert found.passed
    assert str(found.measured) == "strokes 30.00, +70.00 over the draft's 100.00"
    with pytest.raises(UsageError, match="of strokes less is better"):
        check([{"gate": "score", "scorer": "strokes", "at_least": 10.0}], facts)
