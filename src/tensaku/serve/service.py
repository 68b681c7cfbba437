"""From a caller at the door to a slot of the engine, and what is written down when the answer has ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from tensaku.engines.protocol import Engine
from tensaku.errors import EngineError, TensakuError, UsageError
from tensaku.ledger import Ledger, NewAnswer, NotCovered
from tensaku.records import Usage
from tensaku.serve.budget import Budgets
from tensaku.serve.callers import Caller, Doorman
from tensaku.serve.errors import WireError
from tensaku.serve.metrics import Metrics
from tensaku.serve.models import BASE, SUM, Lineup, Served, find, offered, open_to_all, provenance
from tensaku.serve.rules import Rules
from tensaku.serve.turns import Turns

__all__ = ["Cancels", "Sees", "Service", "Ticket"]

_log = logging.getLogger(__name__)

DRAINING_AFTER = 5
"""Seconds after which a client that meets a closing server should try again."""
APPROVAL_AFTER = 2
"""Seconds after which one should whose answer was withheld: by then the server has followed the ledger."""
FOLLOWED_WITHIN = 5.0
"""Seconds within which the list of models follows the ledger; it looks there every other second."""


Sees = Callable[[str, Served], bool]
"""Whether a person (empty: nobody) stands inside every barrier around a model."""


class Cancels(Protocol):
    """An answer on its way that can be ended."""

    def cancel(self) -> None:
        """End it at the model's next step."""
        ...


class Service:
    """What all doors of one app share. Used from one event loop.

    Args:
        engine: answers where a model brings no engine of its own.
        models: the releases on offer; read at each request.
        base: whether `engine` without an adapter may be asked for.
        rules: the bounds.
        ledger: keys, and where answers are recorded; None: neither.
        sees: who may know of which model; None: everybody of all. Asked at each request.
    """

    def __init__(
        self,
        engine: Engine,
        models: Sequence[Served],
        base: bool,
        rules: Rules,
        ledger: Ledger | None,
        sees: Sees | None = None,
    ) -> None:
        self.models, self.rules, self.ledger = models, rules, ledger
        self._engine, self._base, self._sees = engine, base, sees
        self.turns = Turns(rules.at_once, rules.waiting)
        self.metrics = Metrics(self.turns)
        self.doorman = Doorman(ledger, rules.keys)
        self.draining = False
        self._budgets = Budgets()
        self._tickets: set[Ticket] = set()

    @property
    def engine(self) -> Engine:
        """Who answers where a model brings no engine: the champion's, where there is one."""
        return (self.models.engine if isinstance(self.models, Lineup) else None) or self._engine

    @property
    def base(self) -> bool:
        """Whether that engine alone may be asked for."""
        return self.models.base if isinstance(self.models, Lineup) else self._base

    @property
    def busy(self) -> int:
        """Answers on their way, those in line too."""
        return len(self._tickets) + self.turns.waiting

    def drain(self) -> None:
        """Refuse new requests from now on."""
        self.draining = True

    def cancel_all(self) -> None:
        """End every answer now; its client is told that the server closes."""
        for ticket in list(self._tickets):
            ticket.cancel()

    def look_up(self, caller: Caller, name: str) -> tuple[Served, Engine]:
        """Who would answer for `name`: one that the caller may ask. Takes no turn of champion and challenger.

        Raises:
            NotFound: there is no such model, or it is behind a barrier.
            WireError: 403.
        """
        named = dict(self.cards(caller))
        model = named[name] if name in named else find(list(self.models), name, self.base, self._seen_by(caller))
        caller.check(name, model)
        return model, model.engine or self.engine

    def choose(self, caller: Caller, name: str) -> tuple[Served, Engine]:
        """Who answers `caller` for `name` now.

        Raises:
            NotFound: there is no such model any more.
        """
        model = find(self.models, name, self.base, self._seen_by(caller))
        return model, model.engine or self.engine

    def cards(self, caller: Caller) -> list[tuple[str, Served]]:
        """The names that a caller may ask for, each with its model."""
        sees = self._seen_by(caller)
        seen = offered(filter(sees, self.models), self.base and sees(Served(BASE, "", None)))
        return [(name, model) for name, model in seen if caller.may_ask(name, model)]

    def counts(self, caller: Caller) -> bytes:
        """The metrics, without those of models behind a barrier."""
        sees = self._seen_by(caller)
        every = all(map(sees, self.models))
        return self.metrics.page(lambda model, release: every if model == SUM else sees(Served(model, release, None)))

    def _seen_by(self, caller: Caller) -> Callable[[Served], bool]:
        sees = self._sees
        if sees is None:
            return open_to_all
        return lambda model: all(sees(caller.seen_as, part) for part in model.parts or (model,))

    async def admit(self, door: str, caller: Caller, name: str, *, tokens: int, weight: int = 1) -> Ticket:
        """Let a caller's request through to `weight` slots of the engine.

        Args:
            door: where it came in.
            caller: who asks.
            name: the model, by the name it was asked for.
            tokens: most tokens that it can come to, prompts and answers.
            weight: answers wanted together.

        Raises:
            WireError: 429, a budget is used up or the line is full; 503, its turn did not come in time, or the server
                closes.
        """
        if self.draining:
            message = "the server is closing; try again"
            raise WireError(503, message, code="closing", after=DRAINING_AFTER)
        began, key = time.monotonic(), caller.key
        self._budgets.take(key, tokens)
        try:
            async with asyncio.timeout(self.rules.wait_seconds):
                await self.turns.take(caller.name, weight, key.limits.at_once if key else None)
        except BaseException as error:
            self._budgets.settle(key, tokens, 0)
            if isinstance(error, TimeoutError):
                message = f"no slot became free within {self.rules.wait_seconds:g} seconds"
                raise WireError(503, message, code="queue_timeout", after=self.turns.after) from None
            raise
        try:
            model, engine, counted = await self._approved(caller, name)
        except BaseException:
            self.turns.leave(caller.name, weight)
            self._budgets.settle(key, tokens, 0)
            raise
        ticket = Ticket(self, Asking(door, caller, name, tokens, weight, began), model, engine, counted=counted)
        self._tickets.add(ticket)
        return ticket

    async def _approved(self, caller: Caller, name: str) -> tuple[Served, Engine, bool]:
        """Who answers for `name`, and may; and whether its answers are counted.

        A release that was taken back a moment ago is still on the list: who asked for the task waits for the next one.

        Raises:
            WireError: 403, the approval does not cover it, and nothing else stood on the list in time.
        """
        end = time.monotonic() + FOLLOWED_WITHIN
        while True:
            model, engine = self.choose(caller, name)
            if not caller.may_ask(name, model):  # a challenger that the key does not open
                model, engine = self.look_up(caller, name)
            try:
                counted = await asyncio.to_thread(self._check_approval, model)
            except WireError:
                if name == model.release or time.monotonic() > end or not self._taken_back(model):
                    raise
            else:
                return model, engine, counted
            await asyncio.sleep(0.1)

    def _taken_back(self, model: Served) -> bool:
        """Whether the ledger lets this release answer no more, so that the list is about to change."""
        return self.ledger is not None and self.ledger.release(model.release).status != "approved"

    def _check_approval(self, model: Served) -> bool:
        """Refuse what the approval of a release does not cover: another task, a day after its end, one answer more.

        Returns:
            Whether it was approved for a number of answers, and each is counted.

        Raises:
            WireError: 403, which says what it was approved for.
        """
        if self.ledger is None:
            return False
        parts, counted = model.parts or (model,), False
        for part in parts:
            if not part.release or part.trial:
                continue
            try:
                counted |= self.ledger.check_use(part.release, part.name, summed=bool(model.parts))
            except UsageError as error:
                raise WireError(403, str(error), code="not_approved", param="model") from None
        return counted

    def end(self, ticket: Ticket, seconds: float | None) -> None:
        """Take back what `ticket` held."""
        self._tickets.discard(ticket)
        asking = ticket.asking
        self.turns.leave(asking.caller.name, asking.weight, seconds)
        self._budgets.settle(asking.caller.key, asking.tokens, ticket.used)


@dataclass(frozen=True, slots=True)
class Asking:
    """A request: where it came in, who asks, for which name, how many tokens and slots at most, and since when."""

    door: str
    caller: Caller
    name: str
    tokens: int
    weight: int
    began: float


class Ticket:
    """One request that holds its slots, from its turn until `end`.

    `counted`: the approval is for a number of answers, so nothing of one leaves before it is recorded.
    """

    def __init__(self, service: Service, asking: Asking, model: Served, engine: Engine, *, counted: bool) -> None:
        self.asking, self.model, self.engine, self.counted = asking, model, engine, counted
        self.used = 0
        self.made_by = provenance(engine, model)
        self.cancelled = False
        self._service = service
        self._running: list[Cancels] = []
        self._ended = False

    @property
    def seconds(self) -> float:
        """How long ago the request came."""
        return time.monotonic() - self.asking.began

    @property
    def deadline(self) -> float:
        """Until when (monotonic) it may run."""
        return self.asking.began + self._service.rules.wait_seconds + self._service.rules.answer_seconds

    def run(self, answer: Cancels) -> None:
        """Have `answer` ended with this ticket."""
        self._running.append(answer)
        if self.cancelled:
            answer.cancel()

    def cancel(self) -> None:
        """End all its answers now."""
        self.cancelled = True
        for answer in self._running:
            answer.cancel()

    def failed(self, error: EngineError, again: bool) -> None:
        """Count a failure of the engine."""
        _log.warning("the engine failed%s: %s", ", the answer is begun anew" if again else "", error)
        (self._service.metrics.again if again else self._service.metrics.failed).inc()

    async def record(
        self, prompt: str, answer: str, finish: str, usage: Usage, first: float | None, made_by: dict[str, str]
    ) -> None:
        """Count and write down one answer; `first` is the seconds from the request to its first text.

        Raises:
            WireError: 503, the ledger cannot be written, or the approval of the release ended while this was being
                written: what cannot be recorded is not answered.
        """
        service, seconds = self._service, self.seconds
        self.used += usage.prompt + usage.completion
        model, digest = self.model, made_by.get("adapter", "")[:12]
        known = (model.name, model.release, digest) if model.release else (BASE, "", digest)
        which = (SUM, "", "") if model.parts else known  # clients choose weights: no label may grow by them
        service.metrics.answered(which, self.model.arm, finish, usage, first, seconds)
        if service.ledger is None:
            return
        asking = self.asking
        new = NewAnswer(
            door=asking.door,
            model=asking.name,
            release=model.release,
            arm=model.arm,
            provenance=made_by,
            prompt=prompt,
            answer=answer,
            finish=finish,
            usage=usage,
            seconds=seconds,
            key=asking.caller.key.id if asking.caller.key else None,
        )
        write = partial(service.ledger.add_answer, new, service.rules.record, asking.caller.person)
        try:
            await asyncio.to_thread(write)
        except NotCovered as error:  # by design, not a fault: the next request finds another release
            _log.warning("an answer is withheld: %s", error)
            message = f"the approval of {model.release} ended while the answer was being written, so it is not given"
            raise WireError(503, message, code="approval_ended", after=APPROVAL_AFTER) from None
        except TensakuError as error:
            _log.error("an answer could not be recorded: %s", error)
            message = "the answer could not be recorded, so it is not given"
            raise WireError(503, message, code="not_recorded", after=DRAINING_AFTER) from None

    def end(self, *, whole: bool) -> None:
        """Give everything back; only a `whole` answer tells how long answers take. Done twice it stays done."""
        if not self._ended:
            self._ended = True
            self.cancel()
            self._service.end(self, self.seconds if whole else None)
