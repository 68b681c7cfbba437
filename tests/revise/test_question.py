"""Past pairs quoted before a question: in the same words, as many as fit, and an answer that ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tensaku.engines import Request
from tensaku.records import Message
from tensaku.retrieve import Examples, Guides
from tensaku.revise import DraftText, Job, messages, quoting, start
from tensaku.testing import ScriptedEngine, tiny_pairs

PAIRS = tuple(tiny_pairs(12))
ASKED = PAIRS[11]
DRAFT = DraftText(ASKED.draft, ASKED.fund, ASKED.section, ASKED.as_of)
QUESTION = Request((Message("system", "直して。"), Message("user", ASKED.draft)), max_tokens=500, stop=("止",))


def job(k: int, pairs: tuple[object, ...] = PAIRS[:11]) -> Job:
    return Job("直して。", examples=Examples(pairs, k))  # type: ignore[arg-type]


def test_an_example_is_asked_in_the_words_of_the_question_and_answered_with_its_final() -> None:
    told: dict[str, Any] = {"fund": ASKED.fund, "section": ASKED.section, "as_of": ASKED.as_of}
    pair = PAIRS[3]
    system, user, assistant, last = messages("直して。", ASKED.draft, **told, examples=[pair])
    alone = messages("直して。", pair.draft, fund=pair.fund, section=pair.section, as_of=pair.as_of)
    assert (system, user) == alone
    assert assistant == Message("assistant", pair.final)
    assert (system, last) == messages("直して。", ASKED.draft, **told)


def test_a_job_with_examples_quotes_the_nearest_and_says_how_many() -> None:
    engine = ScriptedEngine(lambda _: "答え")
    assert start(engine, job(3), DRAFT).result().provenance["examples"] == "3"
    assert "examples" not in start(engine, Job("直して。"), DRAFT).result().provenance
    with_three, without = engine.requests
    nearest = Examples(PAIRS[:11], 3).nearest(DRAFT.text, DRAFT.section, DRAFT.fund)
    assert [m.content for m in with_three.messages if m.role == "assistant"] == [pair.final for pair in nearest]
    assert with_three.messages[0] == without.messages[0]
    assert with_three.messages[-1] == without.messages[-1]


@pytest.mark.parametrize("context", [250, 400, 600, 1000])
def test_as_many_as_leave_room_for_the_answer(context: int) -> None:
    engine = ScriptedEngine(lambda _: "答え" * 400, context=context)
    revision = start(engine, job(8), DRAFT).result()
    (request,) = engine.requests
    quoted = sum(m.role == "assistant" for m in request.messages)
    assert revision.provenance["examples"] == str(quoted)
    assert 0 <= quoted < 8
    assert len(revision.text) == len(DRAFT.text) + 32  # the whole of what it may have
    more = start(ScriptedEngine(lambda _: "答え", context=context + 200), job(8), DRAFT).result()
    assert int(more.provenance["examples"]) > quoted


def test_an_answer_that_goes_on_into_a_next_question_is_ended() -> None:
    goes_on = ScriptedEngine(lambda _: "市場は上昇した。\n公表文:\n市場は")
    assert start(goes_on, job(2), DRAFT).result().text == "市場は上昇した。"
    longer = tuple(replace(pair, final=f"一段落。\n{pair.final}") for pair in PAIRS[:11])
    two = ScriptedEngine(lambda _: "一段落。\n市場は上昇した。\n公表文:\n市場は")
    assert start(two, job(2, longer), DRAFT).result().text == "一段落。\n市場は上昇した。"
    assert start(two, Job("直して。"), DRAFT).result().text.endswith("市場は")


def test_a_question_in_its_askers_own_words() -> None:
    asked = quoting(ScriptedEngine(), QUESTION, Examples(PAIRS[:11], 2))
    assert [m.role for m in asked.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert (asked.messages[0], asked.messages[-1]) == QUESTION.messages
    assert asked.messages[1].content.endswith("\n公表文:")
    assert asked.stop == ("止", "\n")
    assert asked.max_tokens == 500
    alone = quoting(ScriptedEngine(), replace(QUESTION, messages=QUESTION.messages[1:]), Examples(PAIRS[:11], 2))
    assert alone.messages == asked.messages[1:]


def test_a_question_that_leaves_no_room_is_asked_without() -> None:
    tight = ScriptedEngine(context=ScriptedEngine().measure(QUESTION.messages) + 100)
    assert quoting(tight, QUESTION, Examples(PAIRS[:11], 2)).messages == QUESTION.messages
    assert quoting(ScriptedEngine(), QUESTION, Examples(PAIRS[:11], 0)).messages == QUESTION.messages


def test_a_conversation_is_left_as_it_is() -> None:
    said = (*QUESTION.messages, Message("assistant", "はい"), Message("user", "もう一度"))
    for turns in (said, said[:-1]):
        request = replace(QUESTION, messages=turns)
        assert quoting(ScriptedEngine(), request, Examples(PAIRS[:11], 2)) == request


def test_what_the_houses_rules_say_stands_before_the_draft_as_data() -> None:
    engine = ScriptedEngine(lambda _: "答え")
    guides = Guides(("基準: 割合は半角で書く。3.9%と\n書く。", "基準: 挨拶は削る。"), {"日本銀行": ("日銀",)}, 1)
    draft = replace(DRAFT, text="日銀の割合は半角で書く。")
    told = start(engine, Job("直して。", guides=guides), draft).result()
    plain = start(engine, Job("直して。"), draft).result()
    assert told.provenance["guides"] == "2"
    assert "guides" not in plain.provenance
    with_guides, without = engine.requests
    assert with_guides.messages[0] == without.messages[0]
    before = with_guides.messages[-1].content.removesuffix(without.messages[-1].content)
    assert before.split("\n")[1:] == ["- 日銀 → 日本銀行", "- 基準: 割合は半角で書く。3.9%と 書く。", "", ""]
    assert "指示ではない" in before
    assert with_guides.prediction == without.prediction == draft.text
    tight = ScriptedEngine(lambda _: "答え", context=engine.measure(without.messages) + 60)
    fewer = start(tight, Job("直して。", guides=guides), draft).result()
    assert int(fewer.provenance["guides"]) < 2
    assert tight.requests[0].messages[-1].content.endswith(without.messages[-1].content)
