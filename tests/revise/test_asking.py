"""The one road from a draft to a revision, with an engine whose words are written down."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tensaku.errors import EngineError, UsageError
from tensaku.records import Message
from tensaku.revise import (
    LONGEST_DRAFT,
    DraftText,
    Job,
    Revising,
    check_draft,
    check_month,
    messages,
    revise_many,
    start,
)
from tensaku.testing import Answer, ScriptedEngine

JOB = Job(instruction="公表文に直してください。\n", provenance={"release": "release-1", "trial": "yes"})
DRAFT = DraftText("市場は1.2パーセントの上昇となった。", "青葉ファンド", "market", "2026-09")


def numbered(count: int) -> list[DraftText]:
    return [replace(DRAFT, text=f"第{n}の原稿です。") for n in range(1, count + 1)]


def drafted(asked: tuple[Message, ...]) -> str:
    """The draft within the question."""
    return asked[-1].content.split("\n")[1]


def test_what_the_model_is_asked() -> None:
    system, user = messages(" 直して。\n", "原稿の文。", fund="青葉", section="performance", as_of="2026-09")
    assert (system.role, system.content) == ("system", "直して。")
    assert user.role == "user"
    assert user.content.startswith("青葉 運用状況 2026年9月\n")
    assert "原稿の文。" in user.content
    assert user.content.endswith("公表文:")
    [_, english] = messages("Edit.", "A draft.", fund="Aoba", section="outlook", as_of="2026-09")
    assert english.content.startswith("Aoba Outlook and policy 2026-09\n")
    assert english.content.endswith("Comment:")
    [_, free] = messages("直す", "y", fund="青葉", section="ESG", as_of="")
    assert free.content.startswith("青葉 ESG \n")


def test_a_revision_says_what_was_made_by_whom() -> None:
    engine = ScriptedEngine(lambda _: " 市場は1.2％上昇した。\n")
    revision = start(engine, JOB, DRAFT).result()
    assert revision.text == "市場は1.2％上昇した。"
    assert revision.draft == DRAFT.text
    assert revision.verdict.kept
    assert revision.finish == "stop"
    assert revision.usage.completion == len(" 市場は1.2％上昇した。\n")
    assert revision.provenance == engine.identity(None) | {"release": "release-1", "trial": "yes"}


def test_the_guard_sees_what_changed() -> None:
    changed = start(ScriptedEngine(lambda _: "市場は1.3％上昇した。"), JOB, DRAFT).result().verdict
    assert {(b.what, b.fact.value) for b in changed.breaks} == {("missing", "1.2%"), ("added", "1.3%")}
    month = replace(DRAFT, text="市場は上昇した。")
    named = ScriptedEngine(lambda _: "2026年9月の市場は上昇した。")
    assert start(named, JOB, month).result().verdict.kept  # the writer knows which month it speaks of
    assert not start(named, JOB, replace(month, as_of="2026-08")).result().verdict.kept
    names = replace(JOB, names={"日本銀行": ["日銀", "日本銀行"]})
    bank = replace(DRAFT, text="日銀は利上げした。")
    assert start(ScriptedEngine(lambda _: "日本銀行は利上げした。"), names, bank).result().verdict.kept


def test_the_request() -> None:
    engine = ScriptedEngine()
    start(engine, JOB, DRAFT).result()
    start(engine, replace(JOB, max_tokens=20), DRAFT).result()
    [first, second] = engine.requests
    told: dict[str, Any] = {"fund": DRAFT.fund, "section": DRAFT.section, "as_of": DRAFT.as_of}
    assert first.messages == messages(JOB.instruction, DRAFT.text, **told)
    assert first.prediction == DRAFT.text
    assert first.max_tokens == len(DRAFT.text) + 32
    assert second.max_tokens == 20


def test_answers_that_may_be_a_label_alone() -> None:
    job = replace(JOB, choices=("1", "2"))
    engine = ScriptedEngine(lambda _: "1", can=("choices", "facts"))
    start(engine, job, DRAFT).result()
    start(engine, JOB, DRAFT).result()
    [held, free] = engine.requests
    assert (held.choices, held.facts, held.prediction) == (("1", "2"), None, None)  # 1 need not stand in the draft
    assert free.choices == ()
    assert free.facts is not None
    unable = ScriptedEngine(lambda _: "1")
    start(unable, job, DRAFT).result()
    assert unable.requests[0].choices == ()


def test_pieces_come_as_they_are_written_and_result_takes_the_rest() -> None:
    engine = ScriptedEngine(lambda _: "一二三四五六七", piece=3)
    revising = start(engine, JOB, DRAFT)
    assert next(iter(revising)).text == "一二三"
    assert revising.result().text == "一二三四五六七"
    assert revising.result().text == "一二三四五六七"


def test_cancelling_leaves_what_was_written() -> None:
    engine = ScriptedEngine(lambda _: "一二三" * 2000, delay=0.02)
    revising = start(engine, JOB, replace(DRAFT, text="長い原稿。" * 1500))
    next(iter(revising))
    revising.cancel()
    started = time.monotonic()
    revision = revising.result()
    assert time.monotonic() - started < 30
    assert (revision.finish, revision.text.startswith("一二三")) == ("cancelled", True)


@pytest.mark.parametrize("text", ["", " \n\u3000\t"])
def test_an_empty_draft_is_refused_before_the_engine_is_asked(text: str) -> None:
    engine = ScriptedEngine()
    with pytest.raises(UsageError, match=r"the draft is empty\. Paste or pick"):
        start(engine, JOB, replace(DRAFT, text=text))
    assert engine.requests == []


def test_a_draft_of_a_hundred_thousand_characters() -> None:
    engine = ScriptedEngine(context=10**6)
    with pytest.raises(UsageError, match=r"has 100,000 characters; 20,000 is the most.*Split it"):
        start(engine, JOB, replace(DRAFT, text="市" * 100_000))
    assert engine.requests == []
    check_draft("市" * LONGEST_DRAFT)
    with pytest.raises(UsageError):
        check_draft("市" * (LONGEST_DRAFT + 1))
    with pytest.raises(UsageError, match="too long"):  # short enough for anybody, too long for this engine
        start(ScriptedEngine(context=100), JOB, replace(DRAFT, text="市" * 200))


@pytest.mark.parametrize("month", ["2026年9月", "2026-13", "2026-9", "nonsense", "2026-09-01", "２０２６-09-"])
def test_a_month_written_in_another_way(month: str) -> None:
    with pytest.raises(UsageError, match="Write it as 2026-10"):
        start(ScriptedEngine(), JOB, replace(DRAFT, as_of=month))
    check_month("2026-12")
    check_month("")


def test_an_engine_that_fails() -> None:
    def broken(asked: tuple[Message, ...]) -> str:
        raise EngineError("out of memory", retryable=True)

    with pytest.raises(EngineError, match="out of memory"):
        start(ScriptedEngine(broken), JOB, DRAFT).result()


def test_many_come_in_their_order_whatever_ends_first() -> None:
    def rule(asked: tuple[Message, ...]) -> str:
        time.sleep(0.1 if "第1の" in asked[-1].content else 0.0)
        return drafted(asked)

    drafts = numbered(12)
    found = [revision.text for revision in revise_many(ScriptedEngine(rule), JOB, drafts, at_once=4)]
    assert found == [draft.text for draft in drafts]


def test_no_more_run_at_once_than_asked_for() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def rule(asked: tuple[Message, ...]) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.03)
        with lock:
            now -= 1
        return "文。"

    assert len(list(revise_many(ScriptedEngine(rule), JOB, numbered(9), at_once=3))) == 9
    assert most == 3


def test_drafts_are_taken_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Iterator[DraftText]:
        nonlocal taken
        while True:
            taken += 1
            yield DRAFT

    stream = revise_many(ScriptedEngine(), JOB, endless(), at_once=3)
    for _ in range(4):
        next(stream)
    assert taken <= 7
    stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("place", [0, 2, 3, 7])
def test_those_before_a_wrong_draft_are_given_first(place: int) -> None:
    drafts = numbered(8)
    drafts[place] = replace(DRAFT, text=" ")
    engine = ScriptedEngine(drafted)
    stream = revise_many(engine, JOB, drafts, at_once=3)
    assert [next(stream).text for _ in range(place)] == [draft.text for draft in drafts[:place]]
    with pytest.raises(UsageError, match="the draft is empty"):
        next(stream)
    assert len(engine.requests) == place
    assert engine.running == 0


def slow(rule: Answer) -> ScriptedEngine:
    """An engine whose answers to `LONG` take about four seconds each, but for the short ones."""
    return ScriptedEngine(rule, delay=0.05)


LONG = [replace(draft, text=draft.text + "長い原稿です。" * 30) for draft in numbered(6)]


def first_short(asked: tuple[Message, ...]) -> str:
    return "短い。" if "第1の" in asked[-1].content else "長い" * 500


def soon_idle(engine: ScriptedEngine) -> bool:
    deadline = time.monotonic() + 1.5
    while engine.running and time.monotonic() < deadline:
        time.sleep(0.01)
    return engine.running == 0


def test_when_one_fails_the_others_are_cancelled() -> None:
    def rule(asked: tuple[Message, ...]) -> str:
        if "第2の" in asked[-1].content:
            raise EngineError("out of memory")
        return first_short(asked)

    engine = slow(rule)
    stream = revise_many(engine, JOB, LONG, at_once=6)
    next(stream)
    with pytest.raises(EngineError, match="out of memory"):
        next(stream)
    assert len(engine.requests) == 6
    assert soon_idle(engine)


def test_who_stops_reading_stops_the_engine() -> None:
    engine = slow(first_short)
    stream = revise_many(engine, JOB, LONG, at_once=6)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert soon_idle(engine)


def test_ctrl_c_while_waiting_stops_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Revising) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Revising, "result", interrupted)
    engine = slow(first_short)
    with pytest.raises(KeyboardInterrupt):
        next(revise_many(engine, JOB, LONG[1:], at_once=1))
    assert soon_idle(engine)
