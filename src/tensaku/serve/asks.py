"""What may be asked at each door, and how a wrong request is told what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tensaku.engines.protocol import Request
from tensaku.errors import nearest
from tensaku.records import Message, ToolCall
from tensaku.serve.errors import WireError
from tensaku.serve.tools import MOST_TOOLS, Call, Chosen, Tool, offered

__all__ = ["Ask", "ChatAsk", "CompletionAsk", "EmbeddingAsk", "ReviseAsk", "StreamOptions", "Writes", "parse"]

MOST_ANSWERS = 16
"""Answers that one request may ask for."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class Ask(_Strict):
    """What every door asks for: a model."""

    no_effect: ClassVar[tuple[str, ...]] = (
        "metadata",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    )
    """Fields that clients send by habit and that change no answer; the answer's headers name them."""
    refused: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """Fields that ask for what is not offered, with the values that ask for nothing."""

    model: str = Field(min_length=1, max_length=200)
    without_effect: Annotated[tuple[str, ...], Field(exclude=True)] = ()


class StreamOptions(_Strict):
    """How a streamed answer is sent."""

    include_usage: bool = False
    include_obfuscation: bool = False


class Writes(Ask):
    """What both doors that write text have in common."""

    stream: bool | None = False
    stream_options: StreamOptions | None = None
    stop: Annotated[str, Field(max_length=1000)] | list[Annotated[str, Field(max_length=1000)]] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    n: int | None = Field(default=None, ge=1, le=MOST_ANSWERS)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), le=2**63 - 1)

    @property
    def answers(self) -> int:
        """How many answers are wanted."""
        return self.n or 1

    def decoding(self, number: int, max_tokens: int) -> dict[str, Any]:
        """What an engine's request for answer `number` takes from here."""
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        sampled = {"temperature": float(self.temperature), "top_p": self.top_p or 1.0} if self.temperature else {}
        seed = {"seed": (self.seed + number) % 2**63} if self.seed is not None else {}
        return {"max_tokens": max_tokens, "stop": tuple(word for word in stop if word), **sampled, **seed}


_NOTHING: tuple[Any, ...] = (None, 0, 0.0, False, [], {})


class _Part(_Strict):
    type: Literal["text"]
    text: str


Text = str | list[_Part]


def _plain(content: Text) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)


class _Turn(_Strict):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = Field(default=None, max_length=200)

    def message(self, at: int) -> Message:
        """The same for an engine; `at` is its place, for what is wrong with it.

        Raises:
            WireError: 400, it has no content, or a field that does not go with its role.
        """
        where = f"messages.{at}"
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            what = f"'{where}.content' is missing"
            raise WireError(400, what, code="missing_required_parameter", param=f"{where}.content")
        if (self.role == "tool") != (self.tool_call_id is not None):
            what = f"'{where}': the role 'tool' and 'tool_call_id' go together"
            raise WireError(400, what, code="invalid_value", param=f"{where}.tool_call_id")
        if self.tool_calls and self.role != "assistant":
            what = f"'{where}': only an assistant calls tools"
            raise WireError(400, what, code="invalid_value", param=f"{where}.tool_calls")
        calls = tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in self.tool_calls or ())
        said, answers = _plain(self.content or ""), self.tool_call_id or ""
        return Message("system" if self.role == "developer" else self.role, said, calls, answers)


class _Prediction(_Strict):
    type: Literal["content"]
    content: Text


class _Schema(_Strict):
    name: str = Field(max_length=200)
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None
    description: str | None = None


class _Format(_Strict):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class ChatAsk(Writes):
    """One chat completion as it is asked for."""

    no_effect = (*Ask.no_effect, "verbosity", "reasoning_effort")
    refused = {
        "audio": _NOTHING,
        "frequency_penalty": _NOTHING,
        "function_call": (None, "none", "auto"),
        "functions": _NOTHING,
        "logit_bias": _NOTHING,
        "modalities": (None, ["text"]),
        "presence_penalty": _NOTHING,
        "web_search_options": (None,),
    }

    messages: list[_Turn] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    prediction: _Prediction | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    response_format: _Format | None = None
    tools: list[Tool] | None = Field(default=None, max_length=MOST_TOOLS)
    tool_choice: Literal["none", "auto", "required"] | Chosen | None = None
    parallel_tool_calls: bool | None = None

    def request(self, adapter: str | None, max_tokens: int, number: int = 0) -> Request:
        """The same for an engine; `max_tokens` bounds the answer where the client names no bound.

        Raises:
            WireError: 400, fields that do not go together.
        """
        if self.top_logprobs is not None and not self.logprobs:
            raise WireError(
                400, "'top_logprobs' goes with 'logprobs': true", code="invalid_value", param="top_logprobs"
            )
        schema = self._schema()
        return Request(
            messages=tuple(turn.message(at) for at, turn in enumerate(self.messages)),
            adapter=adapter,
            prediction=_plain(self.prediction.content) if self.prediction else None,
            logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            schema=schema,
            **offered(self.tools, self.tool_choice, schema=schema is not None, parallel=self.parallel_tool_calls),
            **self.decoding(number, self.max_completion_tokens or self.max_tokens or max_tokens),
        )

    def _schema(self) -> str | None:
        asked = self.response_format
        if asked is None or asked.type == "text":
            return None
        if asked.type == "json_object":
            return '{"type":"object"}'
        if asked.json_schema is None:
            param = "response_format.json_schema"
            raise WireError(400, f"{param!r} is missing", code="missing_required_parameter", param=param)
        return json.dumps(asked.json_schema.schema_, ensure_ascii=False, separators=(",", ":"))


class CompletionAsk(Writes):
    """One completion of a text as it stands, without a chat template."""

    refused = {
        "best_of": (None, 1),
        "echo": _NOTHING,
        "frequency_penalty": _NOTHING,
        "logit_bias": _NOTHING,
        "presence_penalty": _NOTHING,
        "suffix": (None, ""),
    }

    prompt: str = Field(min_length=1)
    logprobs: int | None = Field(default=None, ge=0, le=20)

    def request(self, adapter: str | None, max_tokens: int, number: int = 0) -> Request:
        """The same for an engine."""
        more = self.decoding(number, self.max_tokens or max_tokens)
        return Request((), adapter, text=self.prompt, logprobs=self.logprobs, **more)


class EmbeddingAsk(Ask):
    """Texts to be turned into vectors."""

    refused = {"dimensions": (None,)}

    input: str | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=256)]
    encoding_format: Literal["float", "base64"] = "float"

    @property
    def texts(self) -> list[str]:
        """The texts, also where it is one."""
        return [self.input] if isinstance(self.input, str) else self.input


class ReviseAsk(Ask):
    """A draft to be revised by a task's own instruction."""

    no_effect = ()

    draft: str
    fund: str = Field(default="", max_length=200)
    section: str = Field(default="", max_length=64)
    as_of: str = ""


A = TypeVar("A", bound=Ask)


def parse(kind: type[A], body: bytes) -> A:
    """What a client asks for.

    Raises:
        WireError: 400, naming the first field that is wrong.
    """
    try:
        values = json.loads(body)
    except ValueError as error:
        raise WireError(400, f"the body is not JSON: {error}", code="invalid_json") from None
    except RecursionError:
        raise WireError(400, "the body is JSON nested too deep", code="invalid_json") from None
    if not isinstance(values, dict):
        raise WireError(400, "the body is not a JSON object", code="invalid_json")
    _check_names(kind, values)
    try:
        ask = kind.model_validate({**values, "without_effect": ()})
    except ValidationError as error:
        raise _first_fault(error) from None
    return ask.model_copy(update={"without_effect": tuple(n for n in kind.no_effect if values.get(n) is not None)})


def _check_names(kind: type[Ask], values: Mapping[str, Any]) -> None:
    known = [name for name in kind.model_fields if name != "without_effect"]
    for name, value in values.items():
        if name in known or name in kind.no_effect:
            continue
        if name in kind.refused:
            if not any(value == harmless and type(value) is type(harmless) for harmless in kind.refused[name]):
                raise WireError(400, f"this server does not offer {name!r}", code="unsupported_parameter", param=name)
            continue
        close = nearest(name, [*known, *kind.no_effect]) if len(name) < 100 else []
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise WireError(400, f"there is no parameter {name[:100]!r}.{hint}", code="unknown_parameter", param=name[:100])


def _first_fault(error: ValidationError) -> WireError:
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    inner = ("list[", "_", "str", "constrained-", "function-")
    param = ".".join(str(step) for step in fault["loc"] if not str(step).startswith(inner))
    if fault["type"] == "missing":
        return WireError(400, f"{param!r} is missing", code="missing_required_parameter", param=param)
    return WireError(400, f"{param!r}: {fault['msg']}", code="invalid_value", param=param)
