"""One revision on its way to one page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from tensaku.engines.protocol import Engine
from tensaku.ledger import DraftRow, Ledger
from tensaku.records import Revision
from tensaku.revise import DraftText, Job, Revising, start
from tensaku.serve.flow import flow

__all__ = ["Asking", "covered"]

BEAT = 0.04
"""Seconds between two pieces to the browser: often enough to look like writing, seldom enough to cost nothing."""


@dataclass(eq=False)
class Asking:
    """A revision being written. `text` is what has come so far; `task` is the work on it."""

    draft: DraftRow
    text: str = ""
    stopped: bool = False
    task: asyncio.Task[None] | None = None
    _revising: Revising | None = field(default=None, repr=False)

    async def run(self, engine: Engine, job: Job, wrote: Callable[[str], None] | None) -> Revision:
        """Ask, hand each piece to `wrote` as it comes, and give the finished revision; None: `text` stays empty.

        Raises:
            UsageError: the draft is too long.
            EngineError: the model failed.
        """
        row = self.draft
        draft = DraftText(text=row.text, fund=row.fund, section=row.section, as_of=row.as_of)
        # In a thread: reading a long draft takes the tokeniser a moment.
        self._revising = revising = await asyncio.to_thread(start, engine, job, draft)
        if self.stopped:
            revising.cancel()
        waiting, loop = "", asyncio.get_running_loop()
        last = loop.time() - BEAT
        async with contextlib.aclosing(flow(revising, revising.cancel)) as pieces:
            async for piece in pieces:
                if wrote is None:
                    continue
                # A model may begin with a blank; what is kept begins with the first word.
                waiting += piece.text if self.text or waiting else piece.text.lstrip()
                if waiting and loop.time() - last >= BEAT:
                    last = loop.time()
                    self.text += waiting
                    wrote(waiting)
                    waiting = ""
        if waiting and wrote is not None:
            self.text += waiting
            wrote(waiting)
        return await asyncio.to_thread(revising.result)

    def stop(self) -> None:
        """End it at the model's next step."""
        self.stopped = True
        if self._revising is not None:
            self._revising.cancel()


def covered(ledger: Ledger, job: Job, task: str) -> bool:
    """Whether the release that answers was approved for a number of answers, so that each is counted. Blocks.

    Raises:
        UsageError: its approval does not cover one more, or not this task.
    """
    release = job.provenance.get("release", "")
    return bool(release) and job.provenance.get("trial") != "yes" and ledger.check_use(release, task)
