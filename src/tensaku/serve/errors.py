"""Errors in the shape that OpenAI's clients read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

__all__ = ["ClientLeft", "WireError", "error_body", "error_response"]

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}

CLIENT_LEFT = 499
"""Nobody reads this status; it is for the counts."""


class WireError(Exception):
    """An answer that is an error. `after` is how many seconds the client should wait before it asks again."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None, after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.after = status, message, code, param, after

    @property
    def body(self) -> dict[str, Any]:
        """The error as JSON values."""
        return error_body(self.message, status=self.status, code=self.code, param=self.param)

    def response(self) -> Response:
        """The error as it is sent."""
        headers = {"retry-after": str(self.after)} if self.after is not None else {}
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return error_response(self.status, self.body, headers)


class ClientLeft(WireError):
    """The client has closed the connection."""

    def __init__(self) -> None:
        super().__init__(CLIENT_LEFT, "the client has left", code="client_left")


def error_body(message: str, *, status: int, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error in OpenAI's shape."""
    kind = "server_error" if status >= 500 else TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_response(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The body in ASCII: a message may quote half a character that a client sent, which has no UTF-8."""
    return Response(json.dumps(body), status_code=status, media_type="application/json", headers=dict(headers or {}))
