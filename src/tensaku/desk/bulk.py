"""Asking the model about many drafts in the background. What is still to ask stands in the ledger."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tensaku.desk.asking import covered
from tensaku.desk.rights import PersonalLedger
from tensaku.engines.protocol import Engine
from tensaku.errors import EngineError, TensakuError, UsageError
from tensaku.ledger import Ledger
from tensaku.revise import DraftText, Job, Revising, start

__all__ = ["BulkWorker"]

log = logging.getLogger("tensaku.desk")

AT_ONCE = 2
"""Drafts asked about at the same time: writers at their desks wait for the same model."""
TRIES = 3
"""How often a draft is asked about while the model fails for a reason that may pass."""
LOOK_SECONDS = 2.0
"""How often the ledger is looked at when nobody has called."""


class BulkWorker:
    """Works through the bulks of the ledger, those of an earlier life of the server first.

    A draft is struck off in the transaction that keeps its revision, so what was answered is never asked again, however
    the server ended; what was being written at that moment is. `answering` says who answers the next question of a
    person, for `task`; `own` is the ledger as that person may see and use it: what they asked for may be out of their
    reach by now.
    """

    def __init__(
        self,
        ledger: Ledger,
        answering: Callable[[str], tuple[Engine, Job]],
        own: Callable[[str], PersonalLedger] | None = None,
        task: str = "",
    ) -> None:
        self._ledger, self._answering, self._task = ledger, answering, task
        self._own = own or (lambda by: PersonalLedger(ledger, by))
        self._called, self._ended, self._claim = threading.Event(), threading.Event(), threading.Lock()
        self._busy: set[int] = set()
        self._running: set[Revising] = set()
        self._threads = [
            threading.Thread(target=self._work, name=f"bulk-{number}", daemon=True) for number in range(AT_ONCE)
        ]

    def begin(self) -> None:
        """Start working."""
        for thread in self._threads:
            thread.start()

    def call(self) -> None:
        """There is something new to do."""
        self._called.set()

    def close(self) -> None:
        """Stop what is being written and let the threads end; what waits goes on at the next start."""
        self._ended.set()
        self._called.set()
        with self._claim:
            running = list(self._running)
        for revising in running:
            revising.cancel()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5)

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                if not self._one():
                    self._called.wait(LOOK_SECONDS)
                    self._called.clear()
            except Exception:  # the ledger may be away for a while; the work must go on when it is back
                log.exception("working through the bulk failed")
                self._ended.wait(LOOK_SECONDS)

    def _one(self) -> bool:
        """Ask about one draft; False if none waits."""
        with self._claim:
            found = self._ledger.next_in_bulk(without=self._busy)
            if found is None:
                return False
            item, draft, by = found
            self._busy.add(item)
        try:
            self._ask(item, draft, by)
        finally:
            with self._claim:
                self._busy.discard(item)
        return True

    def _ask(self, item: int, draft_id: int, by: str) -> None:
        own = self._own(by)
        try:
            own.need("writer")
            draft = own.draft(draft_id)
        except UsageError as refused:
            self._ledger.bulk_failed(item, refused.what)
            return
        if draft.revisions or draft.finals:
            self._ledger.bulk_skipped(item)  # somebody asked at the desk meanwhile
            return
        text = DraftText(text=draft.text, fund=draft.fund, section=draft.section, as_of=draft.as_of)
        for attempt in range(1, TRIES + 1):
            try:
                engine, job = self._answering(by)
                covered(self._ledger, job, self._task)
                revising = start(engine, job, text)
                with self._claim:
                    self._running.add(revising)
                try:
                    if self._ended.is_set():
                        revising.cancel()
                    for _ in revising:
                        pass
                    revision = revising.result()
                finally:
                    with self._claim:
                        self._running.discard(revising)
                if revision.finish != "cancelled" and not self._ended.is_set():
                    own.bulk_done(item, revision, by)
                return
            except EngineError as error:
                if not error.retryable or attempt == TRIES:
                    self._ledger.bulk_failed(item, str(error))
                    return
                self._ended.wait(attempt)
            except TensakuError as error:
                self._ledger.bulk_failed(item, error.what if isinstance(error, UsageError) else str(error))
                return
