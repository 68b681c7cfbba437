"""The thread that admits, runs and ends answers. Streams join and leave at every step.

A step is one pass of the model. It holds one row for each stream that writes, and a chunk of the prompt of streams that
have just come, so that a long prompt does not stop the others. Streams get a slot in the order in which they came.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field

from tensaku.engines.native.answer import Answer
from tensaku.engines.native.cache import Slot, common_length
from tensaku.engines.native.model import Model, Work
from tensaku.errors import EngineError

__all__ = ["Loop"]

_CHUNK = 128
"""Rows of prompts in one step while others write; one step then stays short."""
_CHUNK_ALONE = 256
"""The same while nobody writes."""
_PASS_IN_ROWS = 16
"""What a pass costs beside its rows, in rows. One more row pays if it saves a stream this share of a pass."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Running:
    answer: Answer
    slot: Slot
    started: bool = False
    guess: list[int] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Tokens that the model has not seen yet: 1 while it writes, more while it reads the prompt."""
        return len(self.answer.tokens) - len(self.slot.tokens)


class Loop:
    """Runs `model` for all answers handed to `add`. If a pass fails, every answer at hand fails; the loop goes on."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._wake = threading.Condition()
        self._waiting: deque[Answer] = deque()
        self._running: list[_Running] = []
        self._closing = False
        self._thread: threading.Thread | None = None

    def add(self, answer: Answer) -> None:
        """Queue an answer; returns at once.

        Raises:
            EngineError: the loop was closed.
        """
        with self._wake:
            if self._closing:
                raise EngineError("the engine is closed")
            self._waiting.append(answer)
            if self._thread is None:
                self._start_thread()
            self._wake.notify()

    def close(self) -> None:
        """End the thread; answers that have not ended fail."""
        with self._wake:
            self._closing = True
            thread = self._thread
            self._wake.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def load(self) -> tuple[int, int]:
        """Answers that run and answers that wait."""
        return len(self._running), len(self._waiting)

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._main, name="tensaku-native", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        import torch

        torch.set_num_threads(1)  # see linear.py: only the int8 products use more
        why = "the engine was closed while it wrote this answer"
        try:
            while self._await_work():
                try:
                    self._step()
                except Exception as error:  # whatever it is, no reader may be left waiting
                    _log.exception("a pass of the model failed")
                    self._fail_all(f"the engine failed: {type(error).__name__}: {error}")
        except BaseException as error:
            why = f"the engine's thread ended: {type(error).__name__}: {error}"
            raise
        finally:
            self._fail_all(why)
            with self._wake:
                self._thread = None  # the next request starts another
                if self._waiting:  # it has come already
                    self._start_thread()

    def _await_work(self) -> bool:
        with self._wake:
            while not (self._closing or self._waiting or self._running):
                self._wake.wait()
            return not self._closing

    def _fail_all(self, why: str) -> None:
        with self._wake:
            waiting = list(self._waiting)
            self._waiting.clear()
        running, self._running = self._running, []
        self._model.cache.forget()
        for answer in [r.answer for r in running] + waiting:
            if answer.finish is None:
                answer.fail(why, retryable=True)

    def _step(self) -> None:
        self._drop_cancelled()
        self._admit()
        chosen = self._choose()
        if not chosen:
            return
        chosen.sort(key=lambda pair: pair[0].answer.owner)  # rows of one adapter side by side
        words = self._model.run([work for _, work in chosen])
        for (running, _), found in zip(chosen, words, strict=True):
            self._advance(running, found)
        self._running = [r for r in self._running if r.answer.finish is None]

    def _drop_cancelled(self) -> None:
        with self._wake:
            gone = [a for a in self._waiting if a.cancelled]
            for answer in gone:
                self._waiting.remove(answer)
        for answer in gone:
            answer.end("cancelled")
        for running in self._running:
            if running.answer.cancelled:
                self._end_slot(running)
                running.answer.end("cancelled")
        self._running = [r for r in self._running if r.answer.finish is None]

    def _admit(self) -> None:
        with self._wake:
            while self._waiting:
                answer = self._waiting[0]
                slot = self._model.cache.take(answer.owner, answer.tokens)
                if slot is None:
                    return
                self._running.append(_Running(answer, slot))
                self._waiting.popleft()

    def _choose(self) -> list[tuple[_Running, Work]]:
        """The work of this step: all that write, and chunks of prompts in the order in which they came."""
        writing: list[_Running] = []
        reading: list[_Running] = []
        for running in self._running:
            (writing if running.started and running.left == 1 else reading).append(running)
        chosen = [(running, self._next_words(running, len(writing))) for running in writing]
        rows = _CHUNK if chosen else _CHUNK_ALONE
        begun: list[_Running] = []
        for running in reading:
            if rows <= 0:
                break
            if not self._start(running, begun):
                continue
            chosen.append((running, self._chunk(running, rows)))
            rows -= len(chosen[-1][1].tokens)
            begun.append(running)
        return chosen

    def _next_words(self, running: _Running, streams: int) -> Work:
        """The last word of an answer, and what may follow it."""
        answer, running.guess = running.answer, []
        if answer.drafter is not None:
            most = answer.limit - answer.written - 1
            worth = 1 / (_PASS_IN_ROWS / streams + 1)
            running.guess = answer.drafter.guess(answer.tokens, answer.prompt_length, worth, most)
        return Work(running.slot, answer.adapter, [answer.tokens[-1], *running.guess], 1 + len(running.guess))

    def _start(self, running: _Running, begun: list[_Running]) -> bool:
        """Take over what some slot holds of its prompt; False if a prompt read in this step will soon offer more."""
        if running.started:
            return True
        answer, slot = running.answer, running.slot
        held = self._model.cache.reuse(slot, answer.owner, answer.tokens)
        for other in begun:
            if other.answer.owner == answer.owner and common_length(other.answer.tokens, answer.tokens) > held:
                return False
        running.started = True
        return True

    def _chunk(self, running: _Running, rows: int) -> Work:
        answer, at = running.answer, len(running.slot.tokens)
        tokens = answer.tokens[at : at + rows]
        return Work(running.slot, answer.adapter, tokens, int(at + len(tokens) == len(answer.tokens)))

    def _advance(self, running: _Running, words: list[int]) -> None:
        for word in words[: self._settle(running, words) + 1]:
            if running.answer.take(word):
                self._end_slot(running)
                return
        running.answer.push()

    def _settle(self, running: _Running, words: list[int]) -> int:
        """How many guessed words the model would have written too; what it computed for the others is dropped."""
        guess, drafter = running.guess, running.answer.drafter
        if not guess or drafter is None:
            return 0
        right = common_length(guess, words)
        del running.slot.tokens[len(running.slot.tokens) - len(guess) + right :]
        drafter.note(len(guess), right)
        running.guess = []
        return right

    def _end_slot(self, running: _Running) -> None:
        self._model.cache.release(running.slot)
