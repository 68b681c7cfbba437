"""Pairs as they are made up, before anything judges them: by rules mined from the lessons, or by a model."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from tensaku.curate.made import made_id
from tensaku.curate.synthetic import prompts
from tensaku.curate.synthetic.prompts import Topic
from tensaku.curate.synthetic.voices import Voice, as_draft
from tensaku.engines.asks import Asked
from tensaku.records import Drop, Pair

__all__ = ["METHODS", "Method", "Plan", "asked", "by_rules", "from_answers", "questions"]

Method = Literal["errors", "back", "paraphrase", "topics"]
METHODS: tuple[Method, ...] = ("errors", "back", "paraphrase", "topics")
_EXAMPLES = 3
_TRIES = 4


class Plan(NamedTuple):
    """One pair to be made: from which pair or final, in whose voice, shown which examples, on which topic."""

    method: Method
    number: int
    of: Pair
    examples: tuple[Pair, ...] = ()
    topic: Topic | None = None

    @property
    def key(self) -> str:
        """What its answer is known by."""
        return f"{self.method}-{self.number}"

    def pair(self, draft: str, final: str) -> Pair:
        """The pair made: of the family of what it was made from, so that no split parts them."""
        origin = self.of.id if self.topic is None else f"{self.topic.kind}/{self.topic.name}"
        return Pair(
            id=made_id(self.method, draft, final),
            draft=draft,
            final=final,
            manager=self.of.manager,
            fund=self.of.fund,
            section=self.of.section,
            as_of=self.of.as_of,
            family=self.of.family,
            source=f"synthetic:{self.method}:{origin}",
        )


def by_rules(finals: Sequence[Pair], voices: Sequence[Voice], count: int, dice: random.Random) -> Iterator[Pair]:
    """`count` pairs with real finals and drafts as their managers would write them, every final in turn; fewer if the
    rules have nothing more to say. Every final may become any manager's draft."""
    seen = {(pair.draft, pair.final) for pair in finals}
    made = 0
    for number in range(count * _TRIES if finals and voices else 0):
        of, voice = finals[number % len(finals)], dice.choice(voices)
        plan = Plan("errors", number, replace(of, manager=voice.manager))
        draft = as_draft(of.final, voice, dice)
        if draft != of.final and (draft, of.final) not in seen:
            seen.add((draft, of.final))
            yield plan.pair(draft, of.final)
            made += 1
            if made == count:
                return


def questions(
    method: Method, count: int, lessons: Sequence[Pair], finals: Sequence[Pair], topics: Sequence[Topic], seed: int
) -> list[Plan]:
    """What a model is to be asked for: "back" takes finals without a pair if there are any; topics come in turn."""
    dice = random.Random(f"{seed}-{method}")  # noqa: S311  seeded by design
    by_manager: dict[str, list[Pair]] = {}
    for pair in lessons:
        by_manager.setdefault(pair.manager, []).append(pair)
    plans = []
    from_ = list(finals if method == "back" and finals else lessons)
    dice.shuffle(from_)
    for number in range(count if from_ else 0):
        of = from_[number % len(from_)]
        if method == "paraphrase":
            plans.append(Plan(method, number, of))
            continue
        if of.manager not in by_manager or number >= len(from_):
            of = replace(of, manager=dice.choice(sorted(by_manager)))
        shown = by_manager[of.manager] if method == "back" else list(lessons)
        examples = tuple(dice.sample([p for p in shown if p.final != of.final] or shown, min(_EXAMPLES, len(shown))))
        topic = topics[number % len(topics)] if method == "topics" and topics else None
        plans.append(Plan(method, number, of, examples, topic))
    return plans


def asked(plan: Plan, language: Literal["ja", "en"]) -> Asked:
    """The question of a plan."""
    if plan.method == "back":
        return Asked(plan.key, prompts.back(plan.of.final, plan.of.manager, plan.examples, language))
    if plan.method == "paraphrase":
        return Asked(plan.key, prompts.paraphrase(plan.of.draft, language))
    assert plan.topic is not None
    return Asked(plan.key, prompts.about(plan.topic, plan.examples, language))


def from_answers(plans: Sequence[Plan], said: Mapping[str, Mapping[str, str]]) -> Iterator[Pair | Drop]:
    """The pairs that the answers make; `no-answer` where a model said nothing of use or did not come to an end."""
    for plan in plans:
        answer = said[plan.key]
        texts = prompts.two_texts(answer["text"]) if plan.method == "topics" else None
        draft = texts[0] if texts else "" if plan.method == "topics" else prompts.written(answer["text"])
        final = texts[1] if texts else plan.of.final
        if not draft.strip() or answer["finish"] != "stop":
            source = f"synthetic:{plan.method}:{plan.of.id}"
            yield Drop(
                "no-answer", source, f"the model's answer makes no pair ({answer['finish']})", {"text": answer["text"]}
            )
        else:
            yield plan.pair(draft, final)
