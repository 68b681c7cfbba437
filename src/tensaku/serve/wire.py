"""The wire of OpenAI's chat completions: what may be asked, and the shapes of answers and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tensaku.engines.protocol import Request
from tensaku.errors import nearest
from tensaku.records import Message, Usage

__all__ = ["Ask", "WireError", "chunk", "completion", "error_body", "parse"]

WITHOUT_EFFECT = (
    "frequency_penalty",
    "metadata",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "temperature",
    "top_p",
    "user",
    "verbosity",
)
"""Fields that clients send by habit. Decoding is greedy, so they change nothing; the answer's headers name them."""

REFUSED = (
    "audio",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "modalities",
    "n",
    "response_format",
    "tool_choice",
    "tools",
    "top_logprobs",
    "web_search_options",
)
"""Fields that ask for what the engine does not do; a value that asks for nothing passes."""

HARMLESS: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "tools": ([],),
    "functions": ([],),
    "logit_bias": ({},),
    "tool_choice": ("none", "auto"),
}
"""Values of refused fields that ask for nothing."""


class WireError(Exception):
    """An answer that is an error, in OpenAI's shape."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    @property
    def body(self) -> dict[str, Any]:
        """The error as JSON values."""
        return error_body(self.message, status=self.status, code=self.code, param=self.param)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Part(_Strict):
    type: Literal["text"]
    text: str


class _Turn(_Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part]

    def message(self) -> Message:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message("system" if self.role == "developer" else self.role, text)


class _StreamOptions(_Strict):
    include_usage: bool = False
    include_obfuscation: bool = False


class _Prediction(_Strict):
    type: Literal["content"]
    content: str | list[_Part]


class Ask(_Strict):
    """One chat completion as it is asked for."""

    model: str = Field(min_length=1)
    messages: list[_Turn] = Field(min_length=1)
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    prediction: _Prediction | None = None
    without_effect: tuple[str, ...] = ()

    def request(self, adapter: str | None, max_tokens: int) -> Request:
        """The same for an engine; `max_tokens` bounds the answer where the client names no bound."""
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        likely = self.prediction.content if self.prediction else None
        return Request(
            messages=tuple(turn.message() for turn in self.messages),
            adapter=adapter,
            max_tokens=self.max_completion_tokens or self.max_tokens or max_tokens,
            stop=tuple(word for word in stop if word),
            prediction="".join(part.text for part in likely) if isinstance(likely, list) else likely,
        )


def parse(body: bytes) -> Ask:
    """What a client asks for.

    Raises:
        WireError: 400, naming the first field that is wrong.
    """
    try:
        values = json.loads(body)
    except ValueError as error:
        raise WireError(400, f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(values, dict):
        raise WireError(400, "the body is not a JSON object", code="invalid_json")
    _check_names(values)
    try:
        ask = Ask.model_validate({**values, "without_effect": ()})
    except ValidationError as error:
        raise _first_fault(error) from None
    return ask.model_copy(update={"without_effect": tuple(n for n in WITHOUT_EFFECT if values.get(n) is not None)})


def _check_names(values: Mapping[str, Any]) -> None:
    known = [name for name in Ask.model_fields if name != "without_effect"]
    for name, value in values.items():
        if name in known or name in WITHOUT_EFFECT:
            continue
        if name in REFUSED:
            if value is None or value in HARMLESS.get(name, ()):
                continue
            raise WireError(400, f"this server does not offer {name!r}", code="unsupported_parameter", param=name)
        close = nearest(name, [*known, *WITHOUT_EFFECT])
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise WireError(400, f"there is no parameter {name!r}.{hint}", code="unknown_parameter", param=name)


def _first_fault(error: ValidationError) -> WireError:
    fault = error.errors(include_url=False, include_input=False)[0]
    param = ".".join(str(step) for step in fault["loc"] if not str(step).startswith(("list[", "_", "str")))
    if fault["type"] == "missing":
        return WireError(400, f"{param!r} is missing", code="missing_required_parameter", param=param)
    return WireError(400, f"{param!r}: {fault['msg']}", code="invalid_value", param=param)


def error_body(message: str, *, status: int, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error in OpenAI's shape."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _usage(usage: Usage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    total = usage.prompt + usage.completion
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": total}


def completion(head: dict[str, Any], text: str, finish: str, usage: Usage | None) -> dict[str, Any]:
    """A whole answer. `head` holds what all its parts share: id, created, model, fingerprint, provenance."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(usage)}


def chunk(head: dict[str, Any], delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    """One piece of a streamed answer."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**head, "object": "chat.completion.chunk", "choices": [choice]}


def usage_chunk(head: dict[str, Any], usage: Usage | None) -> dict[str, Any]:
    """The last piece of a streamed answer whose asker wants the counts."""
    return {**head, "object": "chat.completion.chunk", "choices": [], "usage": _usage(usage)}
