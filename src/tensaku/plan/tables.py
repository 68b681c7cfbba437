"""The tables that ship with the planner: shapes, hardware, this machine's constants."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any, Literal

__all__ = ["table"]


@cache
def table(name: Literal["shapes", "hardware", "machine"]) -> dict[str, Any]:
    """What `name`.toml holds, read once; it is shared, so nobody may change it."""
    return tomllib.loads(resources.files("tensaku.plan").joinpath(f"{name}.toml").read_text(encoding="utf-8"))
