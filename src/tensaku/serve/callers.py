"""Who calls: the key in the request's header, checked against the ledger each time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from tensaku.ledger import KEY_START, SYSTEM, KeyRow, Ledger
from tensaku.serve.errors import WireError
from tensaku.serve.models import Served

__all__ = ["Caller", "Doorman"]

METRICS = "metrics"
"""The scope that opens `/metrics`."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks; `key` is None where none is needed."""

    key: KeyRow | None = None

    @property
    def name(self) -> str:
        """By which turns are shared out."""
        return f"key {self.key.id}" if self.key else "everybody"

    @property
    def person(self) -> str:
        """Under whose name answers are recorded."""
        return self.key.person if self.key else SYSTEM

    @property
    def seen_as(self) -> str:
        """Whose rights to documents and models hold: the key's person's; without a key, nobody's."""
        return self.key.person if self.key else ""

    def may_ask(self, name: str, model: Served) -> bool:
        """Whether the key's scopes open the model that was asked for as `name`."""
        if model.parts:
            return all(self.may_ask(part.release, part) for part in model.parts)
        return self.key is None or self.key.allows([name, model.release], model.name if model.release else "")

    def check(self, name: str, model: Served) -> None:
        """Refuse a model that the key does not open.

        Raises:
            WireError: 403.
        """
        if not self.may_ask(name, model):
            raise WireError(403, f"this key does not open the model {name!r}", code="model_not_allowed", param="model")


class Doorman:
    """Lets callers in.

    Args:
        ledger: where the keys are; None: there are none, and nobody needs one.
        required: whether a caller without a key is refused. Otherwise a key that is none of ours passes for no key,
            since clients insist on sending one; one of ours that is wrong, ended or revoked is always refused.
    """

    def __init__(self, ledger: Ledger | None, required: bool) -> None:
        self._ledger, self._required = ledger, required and ledger is not None

    async def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who sent a request with these headers.

        Raises:
            WireError: 401, there is no key or it opens nothing.
        """
        kind, _, text = headers.get("authorization", "").partition(" ")
        text = text.strip() if kind.lower() == "bearer" else headers.get("api-key", "").strip()
        if self._ledger is None or not (self._required or text.startswith(KEY_START)):
            return Caller()
        if not text:
            raise WireError(401, "this server wants an API key: Authorization: Bearer tsk-...", code="missing_api_key")
        row = await asyncio.to_thread(self._ledger.check_key, text)
        if row is None:
            message = "this API key is wrong, has ended or was revoked; ask for another one"
            raise WireError(401, message, code="invalid_api_key")
        return Caller(row)

    async def check_metrics(self, headers: Mapping[str, str]) -> Caller:
        """Let only those read the metrics who may; who it is.

        Raises:
            WireError: 401, or 403 for a key without the scope.
        """
        caller = await self.caller(headers)
        if caller.key is not None and caller.key.scopes and METRICS not in caller.key.scopes:
            raise WireError(403, "this key does not open the metrics", code="not_allowed")
        return caller
