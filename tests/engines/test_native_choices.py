from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tensaku.engines import Request, open_engine
from tensaku.engines.native.engine import NativeEngine
from tensaku.errors import EngineError, MissingExtra, NotFound, UsageError

Get = Callable[[str], Any]
Ask = Callable[..., Request]


def _text(engine: NativeEngine, request: Request) -> str:
    return "".join(piece.text for piece in engine.submit(request))


def test_a_seed_draws_the_same_drafted_or_not_and_in_company(engine: NativeEngine, ask: Ask) -> None:
    alone = [_text(engine, ask("株", 20, temperature=1.0, top_p=0.9, seed=seed)) for seed in range(6)]
    assert len(set(alone)) > 1
    drafted = [
        engine.submit(ask("株", 20, temperature=1.0, top_p=0.9, seed=seed, prediction=wanted[:12] + "上" + wanted[13:]))
        for seed, wanted in enumerate(alone)
    ]
    assert ["".join(piece.text for piece in stream) for stream in drafted] == alone
    assert any(stream.usage is not None and stream.usage.accepted for stream in drafted)


def test_drafts_leave_the_distribution_of_draws_as_it_is(engine: NativeEngine, ask: Ask) -> None:
    """Chi-square over the second token of 600 answers with fresh draws, plain against drafted."""
    likely = _text(engine, ask("円", 2))
    counts = []
    for prediction in (None, likely):
        found: Counter[str] = Counter()
        for start in range(0, 600, 20):
            streams = [
                engine.submit(ask("円", 3, temperature=1.5, seed=1000 * start + i, prediction=prediction, logprobs=0))
                for i in range(start * 2 + (prediction is not None), start * 2 + 40, 2)
            ]
            for stream in streams:
                scores = [score for piece in stream for score in piece.scores]
                found[scores[1].text if len(scores) > 1 else ""] += 1
        counts.append(found)
    plain, drafted = counts
    rest = [word for word in plain | drafted if plain[word] + drafted[word] < 20]
    cells = [(plain[word], drafted[word]) for word in plain | drafted if word not in rest]
    cells.append((sum(plain[w] for w in rest), sum(drafted[w] for w in rest)))
    statistic = sum((a - b) ** 2 / (a + b) for a, b in cells if a + b)
    freedom = len(cells) - 1
    assert statistic < freedom + 4 * (2 * freedom) ** 0.5 + 6  # far beyond the 99.9th percentile


def test_top_p_leaves_unlikely_words_out(engine: NativeEngine, ask: Ask) -> None:
    greedy = _text(engine, ask("円", 12))
    assert _text(engine, ask("円", 12, temperature=0.7, top_p=1e-6, seed=3)) == greedy


def test_log_probabilities_are_those_of_the_words(engine: NativeEngine, ask: Ask) -> None:
    pieces = list(engine.submit(ask("円", 8, logprobs=3)))
    scores = [score for piece in pieces for score in piece.scores]
    assert len(scores) == sum(piece.token_count for piece in pieces)
    for score in scores:
        assert score.logprob == pytest.approx(score.top[0][1])  # greedy: the likeliest
        assert [p for _, p in score.top] == sorted((p for _, p in score.top), reverse=True)
        assert score.logprob < 0


def test_no_answer_holds_another_number(engine: NativeEngine, ask: Ask) -> None:
    free = [_text(engine, ask(f"{i}0", 60, temperature=1.2, seed=i)) for i in range(8)]
    assert any(set("345678") & set(text) for text in free)  # a random model writes digits
    for i in range(8):
        for prediction in (None, free[i]):
            text = _text(engine, ask(f"{i}0", 60, temperature=1.2, seed=i, facts="9月は21.9%", prediction=prediction))
            numbers = "".join(c if c.isdigit() or c == "." else " " for c in text).split()
            assert all(n.strip(".") in ("", "9", "21.9", "21", "2", "1") for n in numbers), text


def test_an_answer_fits_its_schema(engine: NativeEngine, ask: Ask) -> None:
    pytest.importorskip("llguidance")
    schema = json.dumps({"type": "object", "properties": {"a": {"enum": ["x", "yy"]}}, "required": ["a"],
                         "additionalProperties": False})  # fmt: skip
    found = json.loads(_text(engine, ask("a", 60, schema=schema)))
    assert found["a"] in ("x", "yy")
    again = _text(engine, ask("a", 60, schema=schema, prediction='{"a":"x"}', temperature=1.0, seed=4))
    assert json.loads(again)["a"] in ("x", "yy")
    with pytest.raises(UsageError, match="schema"):
        engine.submit(ask("a", 60, schema='{"type": 7}'))


@pytest.mark.parametrize("drawn", [{}, {"temperature": 1.5}])
def test_an_answer_is_one_of_its_choices(engine: NativeEngine, ask: Ask, drawn: dict[str, float]) -> None:
    pytest.importorskip("llguidance")
    choices = ("良い", "やや良い", 'say "no"\\', "二行\nの答え😀")
    streams = [engine.submit(ask(f"株{n}", 60, choices=choices, **drawn, **({"seed": n} if drawn else {})))
               for n in range(20)]  # fmt: skip
    found = {"".join(piece.text for piece in stream) for stream in streams}
    assert found <= set(choices)
    assert all(stream.finish == "stop" for stream in streams)
    assert len(found) > 1 or not drawn


def test_without_llguidance_a_schema_is_told_what_to_install(
    tiny: Get, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = NativeEngine(tiny("gemma3_text").folder, context=64, slots=1, threads=1)
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingExtra, match="llguidance"):
        fresh.submit(ask("a", 4, schema="{}"))
    fresh.close()


def test_adapters_are_combined_by_weights(tiny: Get, engine: NativeEngine, ask: Ask) -> None:
    made = tiny("gemma3_text")
    for name in ("all", "other"):
        engine.load_adapter(name, made.adapter(name))
    only = _text(engine, ask("株", 30, adapter="all"))
    assert _text(engine, ask("株", 30, adapter="all:1.0+other:0")) == only
    assert _text(engine, ask("株", 30, adapter="all:0+other:0.0")) == _text(engine, ask("株", 30))
    mixed = "all:0.7+other:0.3"
    assert engine.identity(mixed)["adapter"] not in (*engine.adapters().values(), "")
    assert engine.identity(mixed) != engine.identity("all:0.3+other:0.7")
    assert _text(engine, ask("株", 30, adapter=mixed)) == _text(engine, ask("株", 30, adapter=mixed))
    with pytest.raises(NotFound):
        engine.submit(ask("株", adapter="all:0.7+nobody:0.3"))
    engine.load_adapter("dora", made.adapter("dora", use_dora=True))
    with pytest.raises(UsageError, match="DoRA"):
        engine.submit(ask("株", adapter="all:0.7+dora:0.3"))


def test_a_small_memory_preempts_and_answers_stay_the_same(tiny: Get, engine: NativeEngine, ask: Ask) -> None:
    requests = [ask("株" * 20 + str(i), 200) for i in range(6)]
    wanted = [_text(engine, request) for request in requests]
    one = engine._model.page_bytes
    small = NativeEngine(tiny("gemma3_text").folder, context=512, slots=6, threads=1, memory_mb=-(-40 * one >> 20) or 1)
    small._model.cache.total = 40
    small._model.cache.forget()
    streams = [small.submit(request) for request in requests]
    assert ["".join(piece.text for piece in stream) for stream in streams] == wanted
    assert small._loop.preempted > 0
    assert small._model.cache.available == 40
    with pytest.raises(UsageError, match="MB for keys and values"):
        open_engine(
            {"engine": "native", "memory_mb": 1, "threads": 1}, tiny("gemma3_wide").folder, context=1024, slots=6
        )
    small.close()


def test_a_text_is_continued_without_a_template(engine: NativeEngine) -> None:
    one, other = (_text(engine, Request((), text=text, max_tokens=12)) for text in ("株式", ""))
    assert one != other
    assert _text(engine, Request((), text="株式", max_tokens=12)) == one


def test_a_closed_engine_says_so(tiny: Get) -> None:
    made = NativeEngine(tiny("gemma3_text").folder, context=64, slots=1, threads=1)
    made.close()
    with pytest.raises(EngineError, match="closed"):
        made.load_adapter("dora", tiny("gemma3_text").adapter("dora", use_dora=True))
    with pytest.raises(EngineError, match="closed"):
        made.load_adapter("all", tiny("gemma3_text").adapter("all"))


def test_torch_is_told_no_lies(tiny: Get, ask: Ask) -> None:
    """Without the kernel the same requests work, under a version of their own."""
    plain = NativeEngine(tiny("gemma3_text").folder, context=512, slots=2, threads=1, processor=None)
    assert plain.version.endswith("torch")
    assert _text(plain, ask("円", 12, temperature=0.8, seed=1, facts="9"))
    plain.close()
