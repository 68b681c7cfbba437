"""The ASGI app: the doors, errors in the wire's shape, health, metrics, and the document that describes it all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from tensaku.engines.protocol import Engine
from tensaku.errors import EngineError, NotFound, TensakuError
from tensaku.ledger import Ledger
from tensaku.serve.document import document
from tensaku.serve.errors import ClientLeft, WireError, error_body, error_response
from tensaku.serve.guard import LOOPBACK, Guard
from tensaku.serve.metrics import CONTENT_TYPE_LATEST
from tensaku.serve.models import Served, provenance
from tensaku.serve.rules import Rules
from tensaku.serve.service import Sees, Service
from tensaku.serve.writing import Doors

__all__ = ["build_app"]

_log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


def build_app(
    *,
    engine: Engine,
    models: Sequence[Served] = (),
    base: bool = True,
    hosts: Collection[str] | None = LOOPBACK,
    rules: Rules | None = None,
    ledger: Ledger | None = None,
    checks: Mapping[str, Callable[[], object]] | None = None,
    sees: Sees | None = None,
) -> FastAPI:
    """The API over `engine`, to which a desk may be added.

    `app.state.drain` refuses new requests, `app.state.busy` counts the answers on their way, and `app.state.closing`
    lists what ends them: `run` calls them in this order when it is told to end.

    Args:
        engine: answers; it stays the caller's to close.
        models: what is on offer beside "base"; read at each request, so a list that grows is served at once.
        base: whether the engine without an adapter is the base model, so that "base" may be asked for.
        hosts: host names by which this server may be called; None takes any.
        rules: the bounds; see `Rules`.
        ledger: API keys, and where answers are recorded; None: there are no keys and nothing is recorded.
        checks: further checks of readiness by name; one that raises makes `/readyz` answer 503 with its message.
        sees: whether a person (empty: nobody) may know of a model, asked at each request; None: everybody of all.
    """
    app = FastAPI(title="Tensaku", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, hosts=hosts)
    service = Service(engine, models, base, rules or Rules(), ledger, sees)
    doors = Doors(service)
    app.state.drain, app.state.busy = service.drain, lambda: service.busy
    app.state.closing = [service.cancel_all]
    everything: dict[str, Callable[[], object]] = {"engine": lambda: service.engine.identity(None), **(checks or {})}
    if ledger is not None:
        everything.setdefault("ledger", ledger.log_end)

    async def models_list(request: Request) -> Response:
        caller = await service.doorman.caller(request.headers)
        cards = [_card(service.engine, name, model) for name, model in service.cards(caller)]
        return JSONResponse({"object": "list", "data": cards})

    async def models_one(request: Request) -> Response:
        caller, name = await service.doorman.caller(request.headers), request.path_params["name"]
        return JSONResponse(_card(service.engine, name, service.look_up(caller, name)[0]))

    async def metrics(request: Request) -> Response:
        caller = await service.doorman.check_metrics(request.headers)
        return Response(service.counts(caller), media_type=CONTENT_TYPE_LATEST)

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        return await _ready(everything, service.draining)

    async def described(request: Request) -> Response:
        return JSONResponse(document())

    async def nothing_here(request: Request) -> Response:
        path = request.url.path[:200]
        raise WireError(404, f"there is nothing at {request.method} {path}", code="not_found")

    routes: list[tuple[str, str, Handler]] = [
        ("GET", "/v1/models", models_list),
        ("GET", "/v1/models/{name:path}", models_one),
        ("POST", "/v1/chat/completions", doors.chat),
        ("POST", "/v1/completions", doors.completions),
        ("POST", "/v1/embeddings", doors.embeddings),
        ("POST", "/v1/revise", doors.revise),
        ("GET", "/metrics", metrics),
        ("GET", "/healthz", healthz),
        ("GET", "/readyz", readyz),
        ("GET", "/openapi.json", described),
    ]
    for method, path, handler in routes:
        app.add_api_route(path, _speaking(handler, path, service), methods=[method])
    every = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    app.add_api_route("/v1/{path:path}", _speaking(nothing_here, "/v1", service), methods=every)
    return app


def _speaking(handler: Handler, door: str, service: Service) -> Handler:
    """The handler with each failure answered in the wire's own shape, and every answer counted."""

    async def speaking(request: Request) -> Response:
        try:
            response = await handler(request)
        except WireError as error:
            if not isinstance(error, ClientLeft):
                service.metrics.refused.labels(error.code or "").inc()
            response = error.response()
        except NotFound as error:
            service.metrics.refused.labels("model_not_found").inc()
            response = WireError(404, str(error), code="model_not_found", param="model").response()
        except EngineError as error:
            after = 1 if error.retryable else None
            status = 503 if error.retryable else 500
            response = WireError(status, str(error), code="engine_error", after=after).response()
        except TensakuError as error:  # nothing that a client could put right: the ledger, a file
            _log.error("%s: %s", door, error)
            response = WireError(503, str(error), code="unavailable", after=5).response()
        except Exception:
            _log.exception("%s failed", door)
            response = error_response(500, error_body("this is a fault of the server", status=500, code="fault"))
        service.metrics.requests.labels(door, str(response.status_code)).inc()
        return response

    return speaking


def _card(engine: Engine, name: str, model: Served) -> dict[str, Any]:
    held = model.engine or engine
    card = {
        "id": name,
        "max_model_len": held.context,
        "object": "model",
        "created": model.created,
        "owned_by": "tensaku",
    }
    return {**card, "root": model.release or name, "tensaku": provenance(held, model)}


async def _ready(checks: Mapping[str, Callable[[], object]], draining: bool) -> Response:
    faults = {"server": "it is closing"} if draining else {}
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
