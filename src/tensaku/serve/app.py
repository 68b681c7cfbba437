"""The ASGI app: routes, errors, health."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from tensaku.engines.protocol import Engine, Stream
from tensaku.engines.protocol import Request as Asked
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.revise import quoting
from tensaku.serve.answer import Answering
from tensaku.serve.guard import LOOPBACK, Guard
from tensaku.serve.models import Served, find, offered, provenance
from tensaku.serve.wire import WireError, error_body, parse

__all__ = ["build_app"]

Handler = Callable[[Request], Awaitable[Response]]


def build_app(
    *,
    engine: Engine,
    models: Sequence[Served] = (),
    base: bool = True,
    hosts: Collection[str] | None = LOOPBACK,
    max_tokens: int = 1024,
    max_body: int = 4 * 2**20,
    checks: Mapping[str, Callable[[], object]] | None = None,
) -> FastAPI:
    """The API over `engine`, to which a desk may be added.

    `app.state.closing` lists what `run` calls first when it is told to end; here, that ends all answers.

    Args:
        engine: answers; it stays the caller's to close.
        models: what is on offer beside "base"; read at each request, so a list that grows is served at once.
        base: whether the engine without an adapter is the base model, so that "base" may be asked for.
        hosts: host names by which this server may be called; None takes any.
        max_tokens: bound of an answer whose asker names none.
        max_body: largest request, in bytes.
        checks: further checks of readiness by name; one that raises makes `/readyz` answer 503 with its message.
    """
    app = FastAPI(title="Tensaku", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, hosts=hosts)
    answers: weakref.WeakSet[Answering] = weakref.WeakSet()

    def end_answers() -> None:
        for answering in list(answers):
            answering.cancel()

    app.state.closing = [end_answers]
    everything = {"engine": lambda: engine.identity(None), **(checks or {})}

    async def models_list(request: Request) -> Response:
        cards = [_card(engine, name, model) for name, model in offered(models, base)]
        return JSONResponse({"object": "list", "data": cards})

    async def models_one(request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(_card(engine, name, find(models, name, base)))

    async def chat(request: Request) -> Response:
        ask = parse(await _body(request, max_body))
        model = find(models, ask.model, base)
        stream = await asyncio.to_thread(_submit, engine, ask.request(model.adapter, max_tokens), model)
        answering = Answering(stream, ask, provenance(engine, model))
        answers.add(answering)
        return answering.streamed() if ask.stream else await answering.whole(request)

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        return await _ready(everything)

    async def nothing_here(request: Request) -> Response:
        raise WireError(404, f"there is nothing at {request.method} {request.url.path}", code="not_found")

    app.add_api_route("/v1/models", _speaking(models_list), methods=["GET"])
    app.add_api_route("/v1/models/{name:path}", _speaking(models_one), methods=["GET"])
    app.add_api_route("/v1/chat/completions", _speaking(chat), methods=["POST"])
    app.add_api_route("/healthz", healthz, methods=["GET"])
    app.add_api_route("/readyz", readyz, methods=["GET"])
    every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app.add_api_route("/v1/{path:path}", _speaking(nothing_here), methods=every)
    return app


def _speaking(handler: Handler) -> Handler:
    """The handler with each failure answered in the wire's own shape."""

    async def speaking(request: Request) -> Response:
        try:
            return await handler(request)
        except WireError as error:
            return JSONResponse(error.body, status_code=error.status)
        except NotFound as error:
            body = error_body(str(error), status=404, code="model_not_found", param="model")
            return JSONResponse(body, status_code=404)
        except UsageError as error:
            body = error_body(str(error), status=400, code="context_length_exceeded", param="messages")
            return JSONResponse(body, status_code=400)
        except EngineError as error:
            status = 503 if error.retryable else 500
            body = error_body(str(error), status=status, code="engine_error")
            return JSONResponse(body, status_code=status, headers={"retry-after": "1"} if error.retryable else None)

    return speaking


async def _body(request: Request, limit: int) -> bytes:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise WireError(415, f"the body must be application/json, not {kind or 'nothing'}", code="not_json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise WireError(413, f"the request is larger than {limit} bytes; shorten the text", code="too_large")
    return bytes(body)


def _submit(engine: Engine, request: Asked, model: Served) -> Stream:
    return engine.submit(request if model.examples is None else quoting(engine, request, model.examples))


def _card(engine: Engine, name: str, model: Served) -> dict[str, Any]:
    card = {"id": name, "object": "model", "created": model.created, "owned_by": "tensaku"}
    return {**card, "root": model.release or name, "tensaku": provenance(engine, model)}


async def _ready(checks: Mapping[str, Callable[[], object]]) -> Response:
    faults = {}
    for name, check in checks.items():
        try:
            await asyncio.wait_for(asyncio.to_thread(check), timeout=5)
        except TimeoutError:
            faults[name] = "no answer within 5 seconds"
        except Exception as error:  # whatever is wrong, the answer is "not ready" and why
            faults[name] = str(error) or type(error).__name__
    if faults:
        return JSONResponse({"status": "not ready", "faults": faults}, status_code=503)
    return JSONResponse({"status": "ready"})
