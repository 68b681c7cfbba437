"""Tools as OpenAI's clients offer them, and calls of tools as they send them back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tensaku.serve.errors import WireError

__all__ = ["MOST_TOOLS", "Call", "Chosen", "Tool", "offered"]

MOST_TOOLS = 128
"""Tools that one request may offer."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Called(_Strict):
    name: str = Field(min_length=1, max_length=64)
    arguments: str = Field(max_length=1_000_000)


class Call(_Strict):
    """A call in a turn of the assistant."""

    id: str = Field(max_length=200)
    type: Literal["function"]
    function: _Called


class _Function(_Strict):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(_Strict):
    """A function that may be called; `parameters` is the JSON schema of its arguments."""

    type: Literal["function"]
    function: _Function


class _Named(_Strict):
    name: str = Field(max_length=64)


class Chosen(_Strict):
    """The tool that has to be called."""

    type: Literal["function"]
    function: _Named


def offered(
    tools: Sequence[Tool] | None,
    choice: Literal["none", "auto", "required"] | Chosen | None,
    *,
    schema: bool,
    parallel: bool | None,
) -> dict[str, Any]:
    """What an engine's request takes of them; nothing if no tool may be called.

    Raises:
        WireError: 400, fields that do not go together; `schema`: the answer has to fit one.
    """
    if not tools:
        if choice not in (None, "none", "auto"):
            raise WireError(400, "'tool_choice' goes with 'tools'", code="invalid_value", param="tool_choice")
        return {}
    names = [tool.function.name for tool in tools]
    for word in ("auto", "required", "none"):
        if word in names:
            raise WireError(400, f"'tools': no tool may be called {word!r}", code="invalid_value", param="tools")
    if len(set(names)) < len(names):
        raise WireError(400, "'tools': two have the same name", code="invalid_value", param="tools")
    wanted = choice.function.name if isinstance(choice, Chosen) else choice or "auto"
    if isinstance(choice, Chosen) and wanted not in names:
        what = f"'tool_choice': there is no tool {wanted!r}"
        raise WireError(400, what, code="invalid_value", param="tool_choice")
    if wanted == "none":
        return {}
    if schema:
        what = "'response_format' does not go with 'tools': an answer fits a schema, or calls tools"
        raise WireError(400, what, code="invalid_value", param="response_format")
    written = json.dumps([tool.model_dump(exclude_none=True) for tool in tools], ensure_ascii=False)
    return {"tools": written, "tool_choice": wanted, "parallel_calls": parallel is not False}
