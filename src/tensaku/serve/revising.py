"""The door `/v1/revise`: a draft in; the comment, what it changed, what the facts guard found, and who made it, out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from functools import partial

from fastapi.responses import JSONResponse, Response

from tensaku.engines.protocol import Engine
from tensaku.errors import EngineError, UsageError
from tensaku.records import Revision
from tensaku.revise import DraftText, Job, Revising, check_draft, check_month, start
from tensaku.revise.question import ROOM
from tensaku.serve.answer import CUT_OFF, headers_of
from tensaku.serve.asks import ReviseAsk
from tensaku.serve.errors import WireError
from tensaku.serve.flow import flow
from tensaku.serve.models import Served
from tensaku.serve.service import Ticket
from tensaku.serve.shapes import revision as shaped
from tensaku.text import changes

__all__ = ["check_revise", "job_of", "revise", "tokens_of"]


def job_of(model: Served) -> Job:
    """How `model` revises.

    Raises:
        WireError: 400, it has no task's instruction.
    """
    if model.job is None:
        message = "this model has no task, and so no instruction to revise by; ask for a release"
        raise WireError(400, message, code="no_task", param="model")
    return model.job


def check_revise(ask: ReviseAsk) -> DraftText:
    """The draft that is to be revised.

    Raises:
        WireError: 400, the draft is empty or too long, or the month is not written `YYYY-MM`.
    """
    for check, value, param in ((check_draft, ask.draft, "draft"), (check_month, ask.as_of, "as_of")):
        try:
            check(value)
        except UsageError as error:
            raise WireError(400, str(error), code="invalid_value", param=param) from None
    return DraftText(ask.draft, ask.fund, ask.section, ask.as_of)


def tokens_of(job: Job, draft: DraftText) -> int:
    """Most tokens that a revision can come to, by the characters of what it is made from."""
    return len(job.instruction) + len(draft.text) + min(job.max_tokens, len(draft.text) + ROOM)


async def revise(ticket: Ticket, ask: ReviseAsk, draft: DraftText) -> Response:
    """One revision.

    Raises:
        EngineError: the engine failed, twice, or the server closes.
        WireError: 400, the draft does not fit the model; 503, 504 as any answer.
    """
    job, engine = job_of(ticket.model), ticket.engine
    seconds = ticket.deadline - time.monotonic()
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            made, first = await _made(ticket, engine, job, draft)
    except TimeoutError:
        raise WireError(504, "the answer took longer than this server allows", code="timeout") from None
    changed = await asyncio.to_thread(changes, draft.text, made.text)
    about = {"draft": draft.text, "fund": draft.fund, "section": draft.section, "as_of": draft.as_of}
    prompt = json.dumps(about, ensure_ascii=False)
    await ticket.record(prompt, made.text, made.finish, made.usage, first, made.provenance)
    head = {"id": f"rev-{uuid.uuid4().hex}", "created": int(time.time()), "model": ask.model}
    return JSONResponse(shaped(head, made, changed), headers=headers_of(made.provenance))


async def _made(ticket: Ticket, engine: Engine, job: Job, draft: DraftText) -> tuple[Revision, float | None]:
    for last in (False, True):
        try:
            try:
                revising = await asyncio.to_thread(partial(start, engine, job, draft))
            except UsageError as error:
                raise WireError(400, str(error), code="context_length_exceeded", param="draft") from None
            return await _read(ticket, revising)
        except EngineError as error:
            again = not last and error.retryable and not ticket.cancelled
            ticket.failed(error, again)
            if not again:
                raise
    raise AssertionError("unreachable")


async def _read(ticket: Ticket, revising: Revising) -> tuple[Revision, float | None]:
    ticket.run(revising)
    first: float | None = None
    async with contextlib.aclosing(flow(revising, revising.cancel)) as pieces:
        async for piece in pieces:
            first = ticket.seconds if first is None and piece.text else first
    made = await asyncio.to_thread(revising.result)
    if made.finish == "cancelled":
        raise EngineError(CUT_OFF, retryable=True)
    return made, first
