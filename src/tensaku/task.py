"""What a task file says of the writing job itself, and of putting its model to work."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from tensaku.config import Section
from tensaku.engines.profiles import Hardware, Profile, keys_and_values_mb, profile_for
from tensaku.errors import UsageError

__all__ = ["Desk", "Govern", "LedgerPlace", "Oidc", "Serve", "Task"]


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
    guides: tuple[str, ...] = ()
    """Files with rules of writing, such as the style guide; what they and the names say of a draft is put before it."""
    guided: int = Field(3, ge=1, le=20)
    """Passages of the guides that are put before a draft."""
    facts_safe: bool = True
    """No number is written that does not stand in the draft, its fund's name or its month (our own engine)."""
    choices: tuple[str, ...] = ()
    """Where the answer is one of a few labels: all of them, and nothing else is ever answered (our own engine); empty:
    answers are texts."""
    style: str = ""
    """File with the house style, as far as it can be checked: tables [[rule]] with name, pattern, say; empty: none."""

    @field_validator("choices")
    @classmethod
    def _are_answers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) == 1 or len(set(value)) < len(value) or any(not held or held != held.strip() for held in value):
            raise ValueError("needs two answers or more, each once, none empty or with white space around it")
        return value


class Serve(Section):
    """How the model is put to work."""

    host: str = "127.0.0.1"
    """Address to listen on; 127.0.0.1 is this machine alone."""
    port: int = Field(8080, ge=1, le=65535)
    """Port to listen on."""
    engine: dict[str, Any] = Field(default_factory=lambda: {"engine": "native"})
    """The engine that answers, with its settings, as in { engine = "openai", url = "http://gpu-host:8000/v1" }."""
    precision: Literal["auto", "int8", "fp32"] = "int8"
    """Number format of the base model's weights when our own engine answers; auto: the faster one here, measured."""
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


class Oidc(Section):
    """The house's own OpenID Connect provider."""

    issuer: str = ""
    """Its address, as in https://sso.example.co.jp/realms/house; empty: local accounts only."""
    client_id: str = ""
    """The name under which the desk is registered there."""
    secret_env: str = "TENSAKU_OIDC_SECRET"  # noqa: S105  the variable's name
    """Environment variable with the client's secret."""
    claim: str = "preferred_username"
    """Claim of the ID token that holds the person's short name."""
    scope: str = "openid profile"
    """What is asked for."""
    label: str = ""
    """What stands on the button; empty: the address."""
    authorities: str = ""
    """File with the certificates (PEM) that vouch for the provider; empty: those of this machine."""


class Desk(Section):
    """Who may use the desk, and how the house works there."""

    sign_in: Literal["open-on-this-machine", "always"] = "open-on-this-machine"
    """On this machine's own address everybody says who they are without a password (any other address always asks for
    one), or a password is asked for everywhere."""
    https: bool = False
    """A proxy before the server speaks TLS with the browsers; cookies are then sent over TLS alone."""
    session_hours: float = Field(12, gt=0, le=720)
    """A sign-in ends after so many hours."""
    idle_minutes: float = Field(120, gt=0, le=10_080)
    """A sign-in ends after so many minutes without use."""
    failures: int = Field(5, ge=1, le=100)
    """Wrong passwords after which a name is locked."""
    lock_minutes: float = Field(15, gt=0, le=1440)
    """How long it stays locked."""
    oidc: Oidc = Oidc()
    """Sign-in through the house's own provider."""
    review: bool = False
    """A comment is final only after a second person has approved it (four eyes)."""
    template: str = ""
    """The house's own Word file for what goes out, with places such as {{fund}} and {{market}}; empty: a plain one."""
    due_day: int = Field(10, ge=0, le=28)
    """Comments of a month are due on this day of the next one; 0: no such day."""
    retrain_after: int = Field(100, ge=1)
    """New finals from which the page Model suggests to retrain."""
    retrain_drift: float = Field(0.05, gt=0, le=1)
    """Rise of the share of rewritten characters (0 to 1) from which it does."""


class Govern(Section):
    """How the record is kept."""

    anchors: str = "anchors.jsonl"
    """File in which the log's head is noted, once on each day on which the log grows; empty: it is not by itself.
    Best where whoever keeps the ledger cannot write."""
    anchor_command: tuple[str, ...] = ()
    """Program, with its arguments, that prints each anchor: it reads it on standard input, as ["lp", "-d", "audit"]."""


class LedgerPlace(Section):
    """Where the ledger is kept."""

    url: str = ""
    """Address of a PostgreSQL database, as in postgresql://tensaku@db-host/tensaku; empty: a file in the workspace."""
    password_env: str = "TENSAKU_LEDGER_PASSWORD"  # noqa: S105  the variable's name
    """Environment variable with its password, which is written nowhere."""
    warehouse: str = ""
    """Address of a database that `tensaku export finals --to warehouse` copies finals and labels to, as in
    snowflake://tensaku@account/DB/SCHEMA?warehouse=WH; empty: none."""
    warehouse_password_env: str = "TENSAKU_WAREHOUSE_PASSWORD"  # noqa: S105  the variable's name
    """Environment variable with its password."""
