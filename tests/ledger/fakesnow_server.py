"""fakesnow over HTTP, as Snowflake's own driver expects it: python fakesnow_server.py; its port is the first line.

The driver since 5.0 signs in only if the answer names a session and a master token, which fakesnow 0.12.1 leaves out.
Whatever comes in at an address that it does not know (the driver's telemetry) is printed.
"""

from __future__ import annotations

import json
import socket

import fakesnow.server as fakesnow  # type: ignore[import-not-found]  # an environment of its own has it
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def sign_in(request: Request) -> Response:
    """What fakesnow answers, and what the driver wants besides."""
    told = json.loads((await fakesnow.login_request(request)).body)
    more = {"sessionId": 1, "validityInSeconds": 3600, "masterValidityInSeconds": 14400}
    told["data"].update(more, masterToken="master-" + told["data"]["token"])
    return JSONResponse(told)


async def unknown(request: Request) -> Response:
    """No part of the wire that fakesnow knows."""
    print("unknown", request.url.path, flush=True)
    return Response(status_code=404)


def main() -> None:
    """Serve on a free port of loopback until the process is ended."""
    routes = fakesnow.app.router.routes
    (place,) = (n for n, route in enumerate(routes) if route.path == "/session/v1/login-request")
    routes[place] = Route(routes[place].path, sign_in, methods=["POST"])
    routes.append(Route("/{path:path}", unknown, methods=["GET", "POST"]))
    held = socket.create_server(("127.0.0.1", 0))
    print(held.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(fakesnow.app, log_level="warning")).run(sockets=[held])


if __name__ == "__main__":
    main()
