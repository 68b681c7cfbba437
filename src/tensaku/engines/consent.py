"""Drafts leave this machine only where somebody is named who allowed it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tensaku.errors import UsageError

__all__ = ["check_consent", "leaves_the_house"]


def leaves_the_house(engine: Mapping[str, Any]) -> str:
    """The host that an engine sends drafts to, if it is not this machine; else empty."""
    host = urlsplit(str(engine.get("url", ""))).hostname or ""
    try:
        here = host in ("", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    return "" if here else host


def check_consent(engine: Mapping[str, Any], consent: str, *, where: str) -> None:
    """Refuse an engine that sends drafts away without a word on who allowed it; `where` is the setting of that word.

    Raises:
        UsageError: it has an address elsewhere and no consent.
    """
    host = leaves_the_house(engine)
    if host and not consent.strip():
        what = f"the engine sends every draft to {host}, and nobody is named who allowed it"
        fix = 'Write consent = "who, when, under which number", or take the engine out'
        raise UsageError(what, where=where, fix=fix)
