"""What an engine is: it takes requests and streams answers, of any adapter, several at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from tensaku.engines.calls import CallPiece
from tensaku.records import Finish, Message, Usage

__all__ = ["ABILITIES", "Engine", "Piece", "Request", "Stream", "TokenScore"]

ABILITIES = ("sampling", "logprobs", "json", "text", "embeddings", "facts", "tools", "choices")
"""What an engine may offer beyond greedy answers to conversations; it names those it has in an attribute `can`."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    `adapter` is a name given to `load_adapter`, or None for the base model alone. `max_tokens` bounds the answer.
    The answer ends before the first of `stop`. `prediction` is a text that the answer is expected to resemble (the
    draft); it may speed decoding up and never alters the answer.

    What follows needs an ability of the engine (the word in brackets); `check_request` refuses it where it is missing.
    `temperature` above 0 draws each token from the distribution sharpened by it, cut to the likeliest tokens that hold
    `top_p` of it; the same `seed` draws the same (sampling). `logprobs` asks for natural log probabilities of each
    token and of that many likeliest ones in its place (logprobs). `schema` is a JSON schema as JSON text that the
    answer has to fit (json). `text` is continued as it stands, without a chat template, and `messages` is empty (text).
    `facts` is a text that holds every figure and date that the answer may write (facts). `tools` is a JSON list of the
    tools that may be called, as OpenAI's clients write it; `tool_choice` says whether one has to be ("required"), or
    which (its name), and `parallel_calls` whether more than one may be (tools). `choices` are the only answers that may
    be given (choices).
    """

    messages: tuple[Message, ...]
    adapter: str | None = None
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    prediction: str | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    logprobs: int | None = None
    schema: str | None = None
    text: str | None = None
    facts: str | None = None
    tools: str | None = None
    tool_choice: str = "auto"
    parallel_calls: bool = True
    choices: tuple[str, ...] = ()


class TokenScore(NamedTuple):
    """One token of an answer with its natural log probability, and the likeliest tokens in its place."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Piece(NamedTuple):
    """A piece of an answer as it is written: `token_count` tokens that read `text` (may be empty).

    `scores` holds its tokens one by one where the request asked for log probabilities. `calls` are pieces of calls of
    tools, which are no text.
    """

    text: str
    token_count: int
    scores: tuple[TokenScore, ...] = ()
    calls: tuple[CallPiece, ...] = ()


@runtime_checkable
class Stream(Protocol):
    """One answer on its way. Iterating blocks until the next piece; `finish` and `usage` are set when it ends."""

    finish: Finish | None
    usage: Usage | None

    def __iter__(self) -> Iterator[Piece]:
        """The pieces in order.

        Raises:
            EngineError: the engine failed while it wrote this answer.
        """
        ...

    def cancel(self) -> None:
        """End this answer at the next step; the iterator stops with `finish` "cancelled"."""
        ...


@runtime_checkable
class Engine(Protocol):
    """A model, or many adapters over one, that answers requests. All methods may be called from any thread."""

    name: str
    version: str
    context: int
    """Most tokens that prompt and answer may have together."""

    def submit(self, request: Request) -> Stream:
        """Start one answer; returns at once.

        Raises:
            UsageError: the prompt does not fit into the context.
            NotFound: no adapter of that name is loaded.
        """
        ...

    def measure(self, messages: tuple[Message, ...]) -> int:
        """How many tokens of the context a conversation takes, up to where its answer begins."""
        ...

    def load_adapter(self, name: str, folder: Path) -> str:
        """Load a PEFT folder under `name` while requests run; returns its content hash (SHA-256, hex).

        Raises:
            UsageError: the folder is no adapter for this base.
        """
        ...

    def adapters(self) -> dict[str, str]:
        """Name -> content hash of each loaded adapter."""
        ...

    def identity(self, adapter: str | None) -> dict[str, str]:
        """What answered: `adapter` and `base` (content hashes), `engine`, `version`."""
        ...

    def close(self) -> None:
        """End all answers and free the memory."""
        ...
