from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tensaku import plugins
from tensaku.engines import Engine, Request, Stream, open_engine
from tensaku.engines.native.engine import NativeEngine
from tensaku.engines.native.loop import Loop
from tensaku.engines.native.model import Model
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.records import Message

Get = Callable[..., Any]
Ask = Callable[..., Request]
LONG = "株式市場は上昇した。" * 20


def _text(stream: Stream) -> str:
    return "".join(piece.text for piece in stream)


def _idle(engine: NativeEngine) -> bool:
    return engine._model.cache.available == engine._model.cache.total and not engine._loop.load()[0]


def test_it_is_an_engine(engine: NativeEngine) -> None:
    assert isinstance(engine, Engine)
    assert isinstance(engine.submit(Request((Message("user", "a"),), max_tokens=1)), Stream)


def test_the_door_knows_it(tiny: Get) -> None:
    assert "native" in plugins.engines.names()
    with pytest.raises(UsageError, match="slots"):
        open_engine({"engine": "native", "slot": 2}, tiny().folder)
    with pytest.raises(NotFound, match="native"):
        open_engine("nativ", tiny().folder)
    engine = open_engine({"engine": "native", "precision": "int8"}, tiny().folder, precision="fp32", threads=1)
    assert engine.version.endswith("fp32")
    engine.close()


@pytest.mark.parametrize("options", [{"precision": "int4"}, {"context": 2}, {"slots": 0}, {"threads": 0}])
def test_settings_out_of_range_are_refused(tiny: Get, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        NativeEngine(tiny().folder, **options)


def test_a_base_that_is_none_is_refused(tiny: Get, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        NativeEngine(tmp_path / "none")
    with pytest.raises(UsageError):
        NativeEngine(tmp_path)
    with pytest.raises(UsageError, match="1024"):
        NativeEngine(tiny().folder, context=5000)


@pytest.mark.parametrize("family", ["gemma3_text", "qwen3"])
def test_greedy_text_is_that_of_transformers(tiny: Get, ask: Ask, family: str) -> None:
    made = tiny(family)
    engine = NativeEngine(made.folder, precision="fp32", context=256, slots=2, threads=1)
    request = ask("株式市場は", 30)
    ids = engine._tokenizer.chat(request.messages)
    with torch.inference_mode():
        for _ in range(30):
            ids.append(int(made.model(torch.tensor([ids])).logits[0, -1].argmax()))
    stream: Any = engine.submit(request)
    assert _text(stream)
    assert stream.tokens == ids
    assert stream.finish == "length"
    assert stream.usage is not None
    assert (stream.usage.prompt, stream.usage.completion) == (len(ids) - 30, 30)
    engine.close()


def test_pieces_count_every_token(engine: NativeEngine, ask: Ask) -> None:
    stream = engine.submit(ask("上昇", 40))
    pieces = list(stream)
    assert len(pieces) > 5
    assert sum(piece.token_count for piece in pieces) == 40
    assert list(stream) == []


def test_the_end_of_text_token_ends_the_answer(engine: NativeEngine, ask: Ask) -> None:
    ids = _ids(engine, ask("下落", 20))
    end = ids[12]
    engine._tokenizer.eos = frozenset({end})
    stream = engine.submit(ask("下落", 20))
    assert _text(stream) == engine._tokenizer.decode(ids[: ids.index(end)])
    assert stream.finish == "stop"
    assert stream.usage is not None
    assert stream.usage.completion == ids.index(end)


def _ids(engine: NativeEngine, request: Request) -> list[int]:
    answer: Any = engine.submit(request)
    _text(answer)
    return list(answer.tokens[answer.prompt_length :])


def test_a_stop_string_over_several_tokens_ends_the_answer(engine: NativeEngine, ask: Ask) -> None:
    whole = _text(engine.submit(ask("円", 60)))
    stop = next(whole[i : i + 3] for i in range(2, len(whole) - 4) if whole.index(whole[i : i + 3]) == i)
    stream = engine.submit(ask("円", 60, stop=("never there", stop)))
    pieces = list(stream)
    assert "".join(p.text for p in pieces) == whole[: whole.index(stop)]
    assert stream.finish == "stop"
    assert stream.usage is not None
    assert sum(p.token_count for p in pieces) == stream.usage.completion < 60


def test_the_context_bounds_prompt_and_answer(engine: NativeEngine, ask: Ask) -> None:
    with pytest.raises(UsageError, match=r"too long.* context holds 512.*about [\d,]+ characters"):
        engine.submit(ask("あ" * 100_000))
    text = "a" * 400
    room = engine.context - len(engine._tokenizer.chat(ask(text).messages))
    stream = engine.submit(ask(text, 4000))
    _text(stream)
    assert stream.finish == "length"
    assert stream.usage is not None
    assert stream.usage.completion == room
    with pytest.raises(UsageError, match="max_tokens"):
        engine.submit(ask("a", 0))
    with pytest.raises(UsageError, match="no messages"):
        engine.submit(Request(()))
    with pytest.raises(UsageError, match="stop string"):
        engine.submit(ask("a", stop=("",)))


def _hold_after_one_pass(engine: NativeEngine) -> tuple[threading.Event, list[list[int]]]:
    """Until the event is set the engine makes one pass alone: the tiny model writes all it has before a test goes on.

    Also the rows of each stream in each pass.
    """
    steps: list[list[int]] = []
    go_on = threading.Event()
    run = engine._model.run

    def noting(works: Any) -> Any:
        assert not steps or go_on.wait(60)
        steps.append(sorted(len(work.tokens) for work in works))
        return run(works)

    engine._model.run = noting  # type: ignore[method-assign]
    return go_on, steps


def test_cancelling_ends_within_a_step(engine: NativeEngine, ask: Ask) -> None:
    go_on, _ = _hold_after_one_pass(engine)
    stream = engine.submit(ask("a", 400))
    pieces = iter(stream)
    next(pieces)
    stream.cancel()
    go_on.set()
    assert len(list(pieces)) < 100
    assert stream.finish == "cancelled"
    assert stream.usage is not None
    assert stream.usage.completion < 400
    assert _text(engine.submit(ask("b", 3)))
    assert _idle(engine)


def test_more_requests_than_slots_are_served_in_order(engine: NativeEngine, ask: Ask) -> None:
    streams = [engine.submit(ask(f"{i}", 20)) for i in range(10)]
    order: list[int] = []

    def read(i: int) -> None:
        _text(streams[i])
        order.append(i)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {*order[:4]} == {0, 1, 2, 3}
    assert {*order[-2:]} == {8, 9}


def test_adapters_are_answered_each_by_its_own(tiny: Get, engine: NativeEngine, ask: Ask) -> None:
    made = tiny()
    hashes = {name: engine.load_adapter(name, made.adapter(name)) for name in ("all", "other", "third")}
    assert engine.adapters() == hashes
    assert len({*hashes.values()}) == 3
    names: list[str | None] = [None, "all", "other", "third"]
    alone = {name: _text(engine.submit(ask(LONG, 30, adapter=name))) for name in names}
    assert len({*alone.values()}) == 4
    streams = [(name, engine.submit(ask(LONG, 30, adapter=name))) for name in names * 4]
    assert all(_text(stream) == alone[name] for name, stream in streams)
    assert engine.identity("all")["adapter"] == hashes["all"]
    assert engine.identity(None)["adapter"] == ""
    with pytest.raises(NotFound, match="other"):
        engine.submit(ask("a", adapter="othr"))
    engine.unload_adapter("all")
    with pytest.raises(NotFound):
        engine.identity("all")


def test_a_name_may_get_another_adapter_while_answers_run(tiny: Get, engine: NativeEngine, ask: Ask) -> None:
    made = tiny()
    texts = {}
    for name in ("all", "other"):
        engine.load_adapter("house", made.adapter(name))
        texts[name] = _text(engine.submit(ask("株", 60, adapter="house")))
    before = engine.submit(ask("株", 60, adapter="house"))
    engine.load_adapter("house", made.adapter("all"))
    after = engine.submit(ask("株", 60, adapter="house"))
    assert _text(before) == texts["other"]
    assert _text(after) == texts["all"]


def test_a_common_beginning_is_computed_once(engine: NativeEngine, ask: Ask) -> None:
    seen = _count_rows(engine)
    first = _text(engine.submit(ask(LONG + "a", 5)))
    rows = seen()
    assert rows > 200
    _text(engine.submit(ask(LONG + "b", 5)))
    assert seen() < 30
    assert _text(engine.submit(ask(LONG + "a", 5))) == first
    assert seen() < 30
    at_once = [engine.submit(ask(LONG + "株" * 3 + str(i), 5)) for i in range(4)]
    assert all(_text(stream) for stream in at_once)
    assert seen() < 140  # whole pages of sixteen are taken over


def _count_rows(engine: NativeEngine) -> Callable[[], int]:
    count, run = [0], engine._model.run

    def counting(works: Any) -> Any:
        count[0] += sum(len(work.tokens) for work in works)
        return run(works)

    engine._model.run = counting  # type: ignore[method-assign]

    def taken() -> int:
        found, count[0] = count[0], 0
        return found

    return taken


def test_one_adapters_keys_and_values_never_serve_another(tiny: Get, engine: NativeEngine, ask: Ask) -> None:
    engine.load_adapter("all", tiny().adapter("all"))
    seen = _count_rows(engine)
    fresh = NativeEngine(tiny().folder, context=512, slots=1, threads=1)
    wanted = _text(fresh.submit(ask(LONG, 10)))
    fresh.close()
    _text(engine.submit(ask(LONG, 10, adapter="all")))
    seen()
    assert _text(engine.submit(ask(LONG, 10))) == wanted
    assert seen() > 200


def test_a_failed_pass_fails_every_answer_and_the_next_request_works(engine: NativeEngine, ask: Ask) -> None:
    wanted = _text(engine.submit(ask("a", 30)))
    run, calls = engine._model.run, [0]

    def failing(works: Any) -> Any:
        calls[0] += 1
        if calls[0] == 5:
            raise RuntimeError("injected")
        return run(works)

    engine._model.run = failing  # type: ignore[method-assign]
    streams = [engine.submit(ask("a", 300)) for _ in range(9)]
    for stream in streams:
        with pytest.raises(EngineError, match="RuntimeError: injected") as caught:
            _text(stream)
        assert caught.value.retryable
    assert _text(engine.submit(ask("a", 30))) == wanted
    assert _idle(engine)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_fails_every_answer_and_the_next_request_starts_another(engine: NativeEngine, ask: Ask) -> None:
    wanted = _text(engine.submit(ask("a", 30)))
    run = engine._model.run

    def dying(works: Any) -> Any:
        raise SystemExit

    engine._model.run = dying  # type: ignore[method-assign]
    streams = [engine.submit(ask("a", 300)) for _ in range(3)]
    for stream in streams:
        with pytest.raises(EngineError, match="SystemExit"):
            _text(stream)
    engine._model.run = run  # type: ignore[method-assign]
    assert _text(engine.submit(ask("a", 30))) == wanted
    for thread in threading.enumerate():  # the dead one's last words belong to this test
        if thread.name == "tensaku-native" and thread is not engine._loop._thread:
            thread.join(1)


def test_closing_ends_every_answer(tiny: Get, ask: Ask) -> None:
    engine = NativeEngine(tiny().folder, context=512, slots=2, threads=1)
    streams = [engine.submit(ask("a", 400)) for _ in range(4)]
    next(iter(streams[0]))
    engine.close()
    for stream in streams:
        with pytest.raises(EngineError, match="closed"):
            _text(stream)
    with pytest.raises(EngineError, match="closed"):
        engine.submit(ask("a"))
    engine.close()


def test_a_hundred_requests_with_random_cancels(tiny: Get, engine: NativeEngine, ask: Ask) -> None:
    made = tiny()
    for name in ("all", "other"):
        engine.load_adapter(name, made.adapter(name))
    draw = random.Random(7)
    kinds = [
        (draw.choice([LONG[:60], LONG[:90] + "b", "c"]) + str(draw.randrange(4)), draw.choice([None, "all", "other"]))
        for _ in range(12)
    ]
    wanted = [_text(engine.submit(ask(text, 40, adapter=name))) for text, name in kinds]
    outcome: dict[int, bool] = {}

    def work(i: int) -> None:
        own = random.Random(i)
        kind = own.randrange(len(kinds))
        length = own.choice([1, 5, 20, 40])
        stream = engine.submit(ask(kinds[kind][0], length, adapter=kinds[kind][1]))
        leave_at = own.choice([None, None, 0, 1, 3])
        text = ""
        if leave_at == 0:
            stream.cancel()
        for n, piece in enumerate(stream, 1):
            text += piece.text
            if n == leave_at:
                stream.cancel()
        whole = wanted[kind]
        fits = whole.startswith(text.rstrip("\N{REPLACEMENT CHARACTER}"))
        outcome[i] = fits and stream.finish in (("length",) if leave_at is None else ("length", "cancelled"))
        if leave_at is None and length == 40:
            outcome[i] &= text == whole

    threads = [threading.Thread(target=work, args=(i,)) for i in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert outcome == dict.fromkeys(range(100), True)
    assert _idle(engine)


@pytest.fixture
def lone(tiny: Get) -> Iterator[NativeEngine]:
    made = NativeEngine(tiny().folder, context=512, slots=1, threads=1)
    yield made
    made.close()


def test_a_waiting_request_can_be_cancelled(lone: NativeEngine, ask: Ask) -> None:
    first = lone.submit(ask("a", 300))
    second = lone.submit(ask("b", 300))
    second.cancel()
    assert _text(second) == ""
    assert second.finish == "cancelled"
    assert first.finish is None
    first.cancel()
    _text(first)
    assert _text(lone.submit(ask("c", 4)))


def test_a_long_prompt_does_not_stop_the_others(engine: NativeEngine, ask: Ask) -> None:
    go_on, steps = _hold_after_one_pass(engine)
    writing = engine.submit(ask("a", 60))
    next(iter(writing))
    long = engine.submit(ask("b" * 400, 2))
    go_on.set()
    _text(long)
    _text(writing)
    assert all(step[0] == 1 for step in steps[1:])  # somebody writes at every step
    assert max(max(step) for step in steps) <= 128


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_prediction_never_alters_the_answer(tiny: Get, ask: Ask, precision: Any) -> None:
    made = tiny()
    engine = NativeEngine(made.folder, precision=precision, context=512, slots=4, threads=1)
    for name in ("all", "other"):
        engine.load_adapter(name, made.adapter(name))
    draw = random.Random(9)
    names = [None, "all", "other"]
    prompts = [(LONG[: draw.randrange(100)] + str(i), draw.choice(names)) for i in range(12)]
    stops = ("落a", "上")
    plain = [_finished(engine.submit(ask(text, 50, adapter=name, stop=stops))) for text, name in prompts]
    streams = []
    for (text, adapter), (wanted, *_) in zip(prompts, plain, strict=True):
        edited = wanted + _text(engine.submit(ask(text, 50, adapter=adapter)))[len(wanted) + 2 :]
        likely = draw.choice([edited, edited[10:] + edited[:10], LONG, edited[::2]]) or "a"
        streams.append(engine.submit(ask(text, 50, adapter=adapter, stop=stops, prediction=likely)))
    assert [_finished(stream) for stream in streams] == plain
    assert _idle(engine)
    engine.close()


def _finished(stream: Stream) -> tuple[Any, ...]:
    pieces = list(stream)
    assert stream.usage is not None
    usage = stream.usage.prompt, stream.usage.completion
    return "".join(p.text for p in pieces), stream.finish, usage, sum(p.token_count for p in pieces)


def test_a_right_prediction_takes_fewer_passes(engine: NativeEngine, ask: Ask) -> None:
    passes, run = [0], engine._model.run

    def counting(works: Any) -> Any:
        passes[0] += 1
        return run(works)

    engine._model.run = counting  # type: ignore[method-assign]
    wanted = _text(engine.submit(ask("円", 60)))
    plain, passes[0] = passes[0], 0
    assert _text(engine.submit(ask("円", 60, prediction=wanted))) == wanted
    assert passes[0] < plain / 3


def test_the_first_words_are_guessed_with_the_end_of_the_prompt(
    engine: NativeEngine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    works: list[tuple[int, int]] = []
    run = engine._model.run

    def noting(asked: Any) -> Any:
        works.extend((len(work.tokens), work.wanted) for work in asked)
        return run(asked)

    wanted = _text(engine.submit(ask(LONG, 40)))
    with monkeypatch.context() as patched:
        patched.setattr(engine._model, "run", noting)
        drafted = _text(engine.submit(ask("新" + LONG, 40, prediction=wanted)))
    assert drafted == _text(engine.submit(ask("新" + LONG, 40)))
    rows, verified = works[0]
    assert verified > 1  # the prompt's last word and guessed ones
    assert rows > verified
    assert _idle(engine)


def test_guesses_behind_a_prompt_give_way_where_there_is_no_room(
    tiny: Get, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(length: int, *predicted: str | None) -> list[str]:
        engine = NativeEngine(tiny().folder, precision="int8", context=256, slots=3, threads=1)
        streams = [engine.submit(ask(f"{i}" + LONG[:length], 60, prediction=text)) for i, text in enumerate(predicted)]
        while any(stream.finish is None for stream in streams):
            engine._loop._step()
        found = [_text(stream) for stream in streams]
        assert _idle(engine)
        engine.close()
        return found

    monkeypatch.setattr(Loop, "_start_thread", lambda _: None)  # step by step
    wanted = {length: answers(length, None, None, None) for length in range(78, 97)}  # ends on every place of a page
    monkeypatch.setattr(Model, "_pages", lambda *_: 17)  # one whole text and a page
    for length, texts in wanted.items():
        assert answers(length, *(text * 2 for text in texts)) == texts
