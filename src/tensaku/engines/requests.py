"""What every engine over a folder asks of a request, and what its base is known by."""

from __future__ import annotations

import json
from pathlib import Path

from tensaku.engines.protocol import Request
from tensaku.errors import UsageError
from tensaku.models.fingerprint import weights_hash

__all__ = ["base_hash", "check_fits", "check_request"]


def check_request(request: Request) -> None:
    """Refuse a request that makes no sense.

    Raises:
        UsageError: it has no messages, asks for no token, or a stop string is empty.
    """
    if not request.messages:
        raise UsageError("the request has no messages")
    if request.max_tokens < 1:
        raise UsageError(f"max_tokens is {request.max_tokens}", fix="Ask for at least 1 token")
    if not all(request.stop):
        raise UsageError("a stop string is empty", fix="Leave it out")


def check_fits(request: Request, length: int, context: int) -> None:
    """Refuse a prompt of `length` tokens that leaves no room for an answer in the context.

    Raises:
        UsageError: says how much would fit.
    """
    if length < context:
        return
    characters = sum(len(message.content) for message in request.messages)
    fits = characters * (context - 1) // length
    what = (
        f"the text is too long: with its instruction {length:,} tokens ({characters:,} characters), "
        f"the engine's context holds {context:,} with the answer"
    )
    fix = f"Shorten or split it: text and answer together may have about {fits:,} characters"
    raise UsageError(what, fix=fix)


def base_hash(base: Path) -> str:
    """The hash of a base's weights, from its artifact's manifest if it has one."""
    manifest = base / "manifest.json"
    if manifest.exists():
        facts = json.loads(manifest.read_text(encoding="utf-8")).get("facts", {})
        if isinstance(facts.get("sha256"), str):
            return str(facts["sha256"])
    return weights_hash(base)
