"""What a task file says of the writing job itself, and of putting its model to work."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tensaku.config import Section
from tensaku.engines.profiles import Hardware, Profile, keys_and_values_mb, profile_for
from tensaku.errors import UsageError

__all__ = ["Serve", "Task"]


class Task(Section):
    """The writing job."""

    name: str = Field("monthly-comment", pattern=r"^[a-z0-9][a-z0-9-]*$")
    """A short name, as in monthly-comment; clients ask for the model by it."""
    language: Literal["ja", "en"] = "ja"
    """The language of drafts and finals."""
    instruction: str = "instruction.md"
    """File with what the model is told: the same words in training, evaluation and serving."""
    names: str = "names.toml"
    """File with the names that count as facts: canonical name = list of the forms it is written in."""
    facts_safe: bool = True
    """No number is written that does not stand in the draft, its fund's name or its month (our own engine)."""
    style: str = ""
    """File with the house style, as far as it can be checked: tables [[rule]] with name, pattern, say; empty: none."""


class Serve(Section):
    """How the model is put to work."""

    host: str = "127.0.0.1"
    """Address to listen on; 127.0.0.1 is this machine alone."""
    port: int = Field(8080, ge=1, le=65535)
    """Port to listen on."""
    engine: dict[str, Any] = Field(default_factory=lambda: {"engine": "native"})
    """The engine that answers, with its settings, as in { engine = "openai", url = "http://gpu-host:8000/v1" }."""
    precision: Literal["int8", "fp32"] = "int8"
    """Number format of the base model's weights when our own engine answers."""
    profile: Literal["auto", "latency", "throughput"] = "auto"
    """Whether each answer's speed matters, or that of all together; `tensaku serve --list-profiles` shows both."""
    at_once: int | None = Field(None, ge=1, le=256)
    """Answers written at the same time; more wait their turn. By default the profile's."""
    context: int = Field(2048, ge=64)
    """Most tokens of prompt and answer together."""
    keys: Literal["beyond-loopback", "always"] = "beyond-loopback"
    """Who needs an API key: callers of any address but this machine's own, or everybody."""
    record: Literal["full", "hash", "none"] = "hash"
    """What the ledger keeps of prompts and answers: the texts, their SHA-256, or neither."""
    waiting: int = Field(64, ge=0, le=10_000)
    """Requests that may stand in line; more are refused with 429."""
    wait_seconds: float = Field(60, gt=0, le=3600)
    """Longest time in line."""
    answer_seconds: float = Field(600, gt=0, le=86_400)
    """Longest time that an answer may take."""
    max_tokens: int = Field(1024, ge=1)
    """Most tokens of an answer whose asker names no bound."""
    max_body_mb: float = Field(4, gt=0, le=256)
    """Largest request, in MiB."""
    grace: float = Field(30, ge=0, le=3600)
    """Seconds that running answers get to end after Ctrl-C or SIGTERM."""
    certificate: str = ""
    """File with the server's certificate and its chain (PEM): the wire is then encrypted. Needs key."""
    key: str = ""
    """File with the certificate's private key (PEM, without a password)."""

    def fitted(self, base: Path | None) -> Profile:
        """The profile on this machine, with what this section says itself; `base`: the base model's folder, if it is
        there already."""
        stream_mb = 0.0
        if base is not None:
            with suppress(UsageError):  # a family that another engine computes
                stream_mb = keys_and_values_mb(base, self.context)
        found = profile_for(self.profile, Hardware.found(), stream_mb)
        return found if self.at_once is None else replace(found, at_once=self.at_once)

    def together(self, base: Path | None) -> int:
        """Answers written at the same time over `base`, which need not be there yet."""
        if self.at_once is not None or self.engine.get("engine") != "native":
            return self.at_once or 8
        return self.fitted(base).at_once

    def engine_for(self, base: Path | None = None) -> dict[str, Any]:
        """The engine as `open_engine` takes it over `base`, with what this section says about our own ones."""
        used = dict(self.engine)
        own: dict[str, Any] = {}
        if used.get("engine") == "native":
            fitted = self.fitted(base)
            own = {"precision": self.precision, "context": self.context, "slots": fitted.at_once, "chunk": fitted.chunk}
        elif used.get("engine") == "transformers":
            own = {"context": self.context}
        return {**own, **used}
