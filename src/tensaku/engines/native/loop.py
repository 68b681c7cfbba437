"""The thread that admits, runs and ends answers. Streams join and leave at every step.

A step is one pass of the model. It holds one row for each stream that writes, with guessed words behind it, and a
chunk of
the prompt of streams that have just come, so that a long prompt does not stop the others. Streams are admitted in
the order
in which they came, if the cache has room for their prompt. If it runs full, the last one admitted gives its room
back and is computed again later.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar

from tensaku.engines.native.answer import Answer
from tensaku.engines.native.cache import PAGE, Held, common_length
from tensaku.engines.native.embed import Embedding
from tensaku.engines.native.model import Found, Model, Work
from tensaku.engines.native.pace import Pace
from tensaku.engines.protocol import TokenScore
from tensaku.errors import EngineError

__all__ = ["CHUNK", "Loop"]

CHUNK = 128
"""Rows of prompts in one step while others write; one step then stays short."""
_CHUNK_ALONE = 256
"""The same while nobody writes."""

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Running:
    answer: Answer
    place: Held
    guess: list[int] = field(default_factory=list)
    refused: bool = False
    """Its most probable next word may not be written: the next pass has to say what else there is."""

    @property
    def left(self) -> int:
        """Tokens that the model has not seen yet: 1 while it writes, more while it reads the prompt."""
        return len(self.answer.tokens) - len(self.place.tokens)


class Loop:
    """Runs `model` for all answers handed to `add`, at most `slots` at once, reading at most `chunk` rows of prompts in
    a step while others write. If a pass fails, every answer at hand fails; the loop goes on."""

    def __init__(self, model: Model, slots: int, chunk: int = CHUNK) -> None:
        self._model = model
        self._slots = slots
        self._chunk_rows = chunk
        self._pace = Pace()
        self.preempted = 0
        self.seconds = 0.0  # in steps, all told
        self._wake = threading.Condition()
        self._waiting: deque[Answer] = deque()
        self._embeddings: deque[Embedding] = deque()
        self._running: list[_Running] = []
        self._closing = False
        self._thread: threading.Thread | None = None

    def add(self, answer: Answer) -> None:
        """Queue an answer; returns at once.

        Raises:
            EngineError: the loop was closed.
        """
        self._queue(self._waiting, answer)

    def embed(self, embedding: Embedding) -> None:
        """Queue texts to be turned into vectors; returns at once.

        Raises:
            EngineError: the loop was closed.
        """
        self._queue(self._embeddings, embedding)

    def _queue(self, line: deque[T], one: T) -> None:
        with self._wake:
            if self._closing:
                raise EngineError("the engine is closed")
            line.append(one)
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
                if self._waiting or self._embeddings:  # it has come already
                    self._start_thread()

    def _await_work(self) -> bool:
        with self._wake:
            while not (self._closing or self._waiting or self._running or self._embeddings):
                self._wake.wait()
            return not self._closing

    def _fail_all(self, why: str) -> None:
        with self._wake:
            waiting, embeddings = list(self._waiting), list(self._embeddings)
            self._waiting.clear()
            self._embeddings.clear()
        running, self._running = self._running, []
        self._model.cache.forget()
        for answer in [r.answer for r in running] + waiting:
            if answer.finish is None:
                answer.fail(why, retryable=True)
        for embedding in embeddings:
            embedding.fail(why)

    def _step(self) -> None:
        began = perf_counter()
        self._drop_cancelled()
        self._admit()
        chosen = self._choose()
        if chosen:
            chosen.sort(key=lambda pair: pair[0].answer.owner)  # rows of one adapter side by side
            works = [work for _, work in chosen]
            before = perf_counter()
            found = self._model.run(works)
            if all(work.wanted == len(work.tokens) for work in works):
                self._pace.note(sum(work.wanted for work in works), perf_counter() - before)
            for (running, _), one in zip(chosen, found, strict=True):
                self._advance(running, one)
            self._running = [r for r in self._running if r.answer.finish is None]
        if self._embeddings and self._embeddings[0].step(self._model, self._chunk_rows):
            self._embeddings.popleft()
        self.seconds += perf_counter() - began

    def _drop_cancelled(self) -> None:
        with self._wake:
            gone = [a for a in self._waiting if a.cancelled]
            for answer in gone:
                self._waiting.remove(answer)
        for answer in gone:
            answer.end("cancelled")
        for running in self._running:
            if running.answer.cancelled:
                self._model.cache.release(running.place)
                running.answer.end("cancelled")
        self._running = [r for r in self._running if r.answer.finish is None]

    def _admit(self) -> None:
        cache = self._model.cache
        while len(self._running) < self._slots:
            with self._wake:
                answer = self._waiting[0] if self._waiting else None
            if answer is None or self._will_be_known(answer):
                return
            place = cache.begin(answer.owner, answer.tokens)
            # a page for each that runs: it may need one at the next step
            if not cache.grow(place, len(answer.tokens) + 1) or (
                self._running and cache.available < len(self._running)
            ):
                cache.release(place)
                return
            if answer.cached is None:
                answer.cached = len(place.tokens)
            self._running.append(_Running(answer, place))
            with self._wake:
                self._waiting.remove(answer)

    def _will_be_known(self, answer: Answer) -> bool:
        """Whether a prompt that is being read begins like this one, further than what is known already."""
        held = self._model.cache.held(answer.owner, answer.tokens)
        for other in self._running:
            if other.left > 1 and other.answer.owner == answer.owner:
                common = min(common_length(other.answer.tokens, answer.tokens), len(answer.tokens) - 1)
                if common // PAGE * PAGE > held:
                    return True
        return False

    def _choose(self) -> list[tuple[_Running, Work]]:
        """The work of this step: all that write, and chunks of prompts in the order in which they came. Where a prompt
        ends, the pass over its last words verifies the first guesses too."""
        writing = [running for running in self._running if running.left == 1]
        reading = self._chunks(self._chunk_rows if writing else _CHUNK_ALONE)
        guessing = writing + [running for running, rows in reading if rows == running.left]
        self._guess(guessing)
        for running in reversed(guessing):  # the last one admitted gives way
            self._make_room(running)
        chosen = [(running, self._next_words(running)) for running in writing if running.place.pages]
        return chosen + [(running, self._chunk(running, rows)) for running, rows in reading if running.place.pages]

    def _chunks(self, rows: int) -> list[tuple[_Running, int]]:
        """How many of at most `rows` rows each prompt gets."""
        chunks = []
        for running in self._running:
            if running.left > 1 and rows > 0:
                chunks.append((running, min(running.left, rows)))
                rows -= chunks[-1][1]
        return chunks

    def _guess(self, writing: list[_Running]) -> None:
        """Let each drafter say what it expects, and keep as much of it as a pass is worth."""
        lines: list[list[float]] = []
        for running in writing:
            answer = running.answer
            running.guess = []
            if answer.drafter is None or running.refused:
                lines.append([])
                continue
            guess = answer.drafter.guess(answer.tokens, answer.prompt_length, answer.limit - answer.written - 1)
            running.guess = guess.words
            lines.append(guess.chances)
        for running, n in zip(writing, self._pace.share(lines), strict=True):
            del running.guess[n:]

    def _make_room(self, running: _Running) -> None:
        """Room for the next words of an answer; without its guesses if need be, or by taking another's."""
        cache, length = self._model.cache, len(running.answer.tokens)
        if not running.place.pages or cache.grow(running.place, length + len(running.guess)):
            return
        running.guess = []
        while not cache.grow(running.place, length):
            self._preempt(self._running[-1])
            if not running.place.pages:  # it was the last one itself
                return

    def _preempt(self, running: _Running) -> None:
        self._running.remove(running)
        self._model.cache.release(running.place)
        self.preempted += 1
        with self._wake:
            self._waiting.appendleft(running.answer)

    def _next_words(self, running: _Running) -> Work:
        """The last word of an answer, and what may follow it."""
        answer = running.answer
        tokens = [answer.tokens[-1], *running.guess]
        scored = running.refused or (answer.chooser is not None and answer.chooser.wants_scores)
        return Work(running.place, answer.adapter, tokens, len(tokens), scored)

    def _chunk(self, running: _Running, rows: int) -> Work:
        """The next `rows` words of a prompt; if they are its last, what may follow them."""
        answer, at = running.answer, len(running.place.tokens)
        tokens = answer.tokens[at : at + rows]
        if at + rows < len(answer.tokens):
            return Work(running.place, answer.adapter, tokens, 0)
        scored = answer.chooser is not None and answer.chooser.wants_scores
        return Work(running.place, answer.adapter, tokens + running.guess, 1 + len(running.guess), scored)

    def _advance(self, running: _Running, found: Found) -> None:
        if running.left > 0:  # there is more of its prompt to read
            self._model.cache.settle(running.place)
            return
        words, scores = self._words(running, found)
        right = self._settle(running, words)
        if running.refused:
            del running.place.tokens[-1]  # the pass over it is done again, with scores
        for at, word in enumerate(words[: right + 1]):
            if running.answer.take(word, scores[at] if scores else None):
                self._model.cache.release(running.place)
                return
        running.answer.push()

    def _words(self, running: _Running, found: Found) -> tuple[list[int], list[TokenScore | None]]:
        """The words that come next, up to the first that was not guessed; with what is reported of them."""
        answer, running.refused = running.answer, False
        if answer.chooser is None:
            return found.words, []
        written = answer.tokens[answer.prompt_length :]
        words: list[int] = []
        reports: list[TokenScore | None] = []
        for at, word in enumerate(found.words):
            report = None
            if found.scores is not None:
                word, report = answer.chooser.choose(found.scores[at], written)
            elif answer.chooser.refuses(word, written):
                running.refused = True
                break
            words.append(word)
            reports.append(report)
            if at < len(running.guess) and word != running.guess[at]:
                break
            written.append(word)
        return words, reports

    def _settle(self, running: _Running, words: list[int]) -> int:
        """How many guessed words the model would have written too; what it computed for the others is dropped."""
        guess, answer = running.guess, running.answer
        if answer.drafter is None:
            return 0
        right = common_length(guess, words)
        if guess:
            del running.place.tokens[len(running.place.tokens) - len(guess) + right :]
        answer.drafter.note(len(guess), right)
        answer.accepted += right
        answer.rejected += len(guess) - right
        running.guess = []
        return right
