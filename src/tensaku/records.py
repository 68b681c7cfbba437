"""The shared words: small frozen records, no input or output, no behaviour beyond their own fields."""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass, field, fields
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar

__all__ = [
    "Change",
    "Document",
    "Drop",
    "Fact",
    "FactBreak",
    "Message",
    "Pair",
    "Passage",
    "Revision",
    "Score",
    "ToolCall",
    "Usage",
    "Verdict",
    "from_dict",
    "to_dict",
    "unsaid",
]

FactKind = Literal["number", "percent", "date", "unit", "name", "negation"]
Op = Literal["equal", "replace", "insert", "delete"]
Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A draft and the final text that the house published for it.

    `as_of` is the month it speaks of, `YYYY-MM`. `family` names texts that belong together (the same fund, section and
    month, or a draft handed in again): a family never stands on both sides of a split. `source` names the file and row.
    """

    id: str
    draft: str
    final: str
    manager: str
    fund: str
    section: str
    as_of: str
    family: str
    source: str = ""
    weight: float = field(default=1.0, metadata={"unsaid": True})
    """What its loss counts for in tuning, 0 to 1; rows of full weight do not say it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text from outside, with its place of origin and free labels."""

    id: str
    text: str
    source: str = ""
    meta: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: `start` and `end` are character offsets into its text."""

    document: str
    text: str
    start: int
    end: int


class ToolCall(NamedTuple):
    """A call of a tool that a model asked for; `arguments` is a JSON object as text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation with a model.

    A turn of the role `tool` is what a tool answered to the call `call_id`. `calls` are those of an assistant's turn.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""


class Fact(NamedTuple):
    """Something a revision must not alter. `value` is the normalised form, equal for equal facts however written.

    `start` and `end` are character offsets into the text it was read from.
    """

    kind: FactKind
    value: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FactBreak:
    """A fact that differs: `missing` stands in the draft and not in the text, `added` the other way round."""

    what: Literal["missing", "added"]
    fact: Fact


@dataclass(frozen=True, slots=True)
class Verdict:
    """The facts guard's finding on one text against its draft."""

    breaks: tuple[FactBreak, ...] = ()

    @property
    def kept(self) -> bool:
        """True if no fact of the draft was lost or altered and none was invented."""
        return not self.breaks


@dataclass(frozen=True, slots=True)
class Change:
    """One change that a writer can take or leave. Offsets are characters in the old and the new text."""

    id: str
    op: Op
    old: str
    new: str
    old_start: int
    old_end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class Score:
    """One measured figure. `signature` says exactly how it was computed; `low` and `high` bound it where known."""

    scorer: str
    value: float
    n: int
    signature: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. Of those that a prediction offered, `accepted` were written and `rejected` were not.

    Of the prompt's, `cached` were known from earlier prompts and not read again.
    """

    prompt: int
    completion: int
    accepted: int = 0
    rejected: int = 0
    cached: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Revision:
    """What the model made of a draft, with everything needed to name its maker.

    `provenance` holds: release, adapter, base (content hashes), engine, version, trial ("yes" or "no").
    """

    draft: str
    text: str
    verdict: Verdict
    finish: Finish
    usage: Usage
    provenance: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drop:
    """A row that was set aside: why (a short name that is counted), where it stood, and the row itself.

    `partner` is where the row stands that it was set aside for, if there is one.
    """

    reason: str
    source: str
    detail: str
    row: dict[str, Any] = field(default_factory=dict)
    partner: str = ""


T = TypeVar("T")


def to_dict(record: Any) -> dict[str, Any]:
    """A record as plain values, for JSON; a field that is marked `unsaid` is left out where it has its default."""
    kind: Any = type(record)
    usual = unsaid(kind)
    values = {name: getattr(record, name) for name in kind.__dataclass_fields__}
    if not all(type(value) in _SINGLE for value in values.values()):
        values = asdict(record)  # which copies what is nested
    return {name: value for name, value in values.items() if name not in usual or value != usual[name]}


_SINGLE = (str, int, float, bool, type(None))


@cache
def unsaid(kind: Any) -> dict[str, Any]:
    """The fields of a kind of record that are not written while they hold their usual value, with that value."""
    return {f.name: f.default for f in fields(kind) if f.metadata.get("unsaid")}


def from_dict(kind: type[T], values: dict[str, Any]) -> T:
    """A flat record from plain values; keys that the record does not have are left out.

    Raises:
        TypeError: a field without a default is not in `values`.
    """
    fields_of: Any = kind
    names = _names(fields_of)
    if not values.keys() <= names:
        values = {k: v for k, v in values.items() if k in names}
    return kind(**values)


@cache
def _names(kind: Any) -> frozenset[str]:
    return frozenset(f.name for f in fields(kind))
