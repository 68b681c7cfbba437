"""Tool calls in an answer's text: how a model's chat template writes them, and reading them while they come.

A template is asked, not a list of models: it writes a made-up call into a made-up conversation, and what stands around
the call's name and its arguments is the form. Whatever form is found by this is read, and constrained, by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["CallForm", "CallPiece", "CallReader", "calls_grammar", "find_form"]

_PROBE = "tensaku_probe"
_ARGUMENT = "tensaku_argument"
_VALUE = "tensaku_value"

PROBE_TOOL = {
    "type": "function",
    "function": {
        "name": _PROBE,
        "description": _PROBE,
        "parameters": {"type": "object", "properties": {_ARGUMENT: {"type": "string"}}, "required": [_ARGUMENT]},
    },
}


@dataclass(frozen=True, slots=True)
class CallForm:
    """What stands before a call's name, between name and arguments, and behind them; the arguments are JSON.

    Qwen: `<tool_call>\\n{"name": "`, `", "arguments": `, `}\\n</tool_call>`.
    """

    opening: str
    middle: str
    closing: str


class CallPiece(NamedTuple):
    """A piece of call `number` of an answer: `id` and `name` with its first piece (else empty), then its arguments."""

    number: int
    id: str
    name: str
    arguments: str


def find_form(render: Callable[..., str], ends: re.Pattern[str] | None) -> CallForm | None:
    """How a template writes calls, or None if it has no tools or writes them so that they cannot be told from text.

    Args:
        render: the template: `messages`, `tools`, `add_generation_prompt`; raises whatever it likes.
        ends: what finds a special token, where a turn ends.
    """
    call = {"name": _PROBE, "arguments": {_ARGUMENT: _VALUE}}
    asked: list[dict[str, Any]] = [{"role": "user", "content": "x"}]
    calling = {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "type": "function", "function": call}]}
    after = [{"role": "tool", "tool_call_id": "c", "name": _PROBE, "content": "x"}, {"role": "user", "content": "x"}]
    try:
        if _PROBE not in render(messages=asked, tools=[PROBE_TOOL], add_generation_prompt=True):
            return None
        begun = render(messages=asked, tools=[PROBE_TOOL], add_generation_prompt=True)
        whole = render(messages=[*asked, calling, *after], tools=[PROBE_TOOL], add_generation_prompt=False)
    except Exception:  # a template may refuse a tool's turn in its own way
        return None
    start = next((i for i, (a, b) in enumerate(zip(begun, whole, strict=False)) if a != b), min(len(begun), len(whole)))
    found = re.search(
        rf'(?s)^(?P<opening>.*?){_PROBE}(?P<middle>[^{{}}]*?)\{{\s*"{_ARGUMENT}"\s*:\s*"{_VALUE}"\s*\}}(?P<rest>.*)',
        whole[start:],
    )
    if found is None:
        return None
    end = ends.search(found["rest"]) if ends is not None else None
    closing = found["rest"][: end.start()] if end is not None else ""
    opening = found["opening"].lstrip()
    if not opening or not found["middle"] or not closing.strip() or (ends is not None and ends.search(opening)):
        return None
    return CallForm(opening, found["middle"], closing.rstrip())


class CallReader:
    """Parts an answer's text, piece by piece, into what is text and what is calls.

    White space around calls is nobody's.
    """

    def __init__(self, form: CallForm, new_id: Callable[[], str]) -> None:
        self._form, self._new_id = form, new_id
        self._held = ""
        self._inside: str | None = None
        self._json = _JsonEnd()
        self.count = 0

    def feed(self, text: str) -> tuple[str, list[CallPiece]]:
        """What of `text`, and of what was held before it, is text, and which pieces of calls it holds."""
        self._held += text
        said = ""
        calls: list[CallPiece] = []
        while True:
            before = (self._inside, self._held)
            if self._inside is None:
                said += self._text()
            else:
                calls += self._call()
            if (self._inside, self._held) == before:
                return said, calls

    def flush(self) -> str:
        """What was held back as text when the answer ends."""
        held, self._held = self._held, ""
        if self._inside is not None or (self.count and not held.strip()):
            return ""
        return held

    def _text(self) -> str:
        at = self._held.find(self._form.opening)
        if at >= 0:
            said, self._held = self._held[:at], self._held[at + len(self._form.opening) :]
            self._inside = "name"
            return said.strip() if self.count or not said.strip() else said.rstrip()
        keep = _overlap(self._held, self._form.opening)
        said = self._held[: len(self._held) - keep].rstrip()
        self._held = self._held[len(said) :]
        return said

    def _call(self) -> list[CallPiece]:
        form, number = self._form, self.count
        if self._inside == "name":
            at = self._held.find(form.middle)
            if at < 0:
                return []
            name, self._held = self._held[:at], self._held[at + len(form.middle) :]
            self._inside, self._json = "arguments", _JsonEnd()
            return [CallPiece(number, self._new_id(), name, "")]
        if self._inside == "arguments":
            end = self._json.feed(self._held)
            written = self._held if end is None else self._held[:end]
            self._held = self._held[len(written) :]
            if end is not None:
                self._inside = "closing"
            return [CallPiece(number, "", "", written)] if written else []
        if len(self._held) >= len(form.closing):
            self._held = self._held.removeprefix(form.closing)
            self._inside, self.count = None, number + 1
        return []


class _JsonEnd:
    """Finds where a JSON object ends, in pieces."""

    def __init__(self) -> None:
        self._depth, self._quoted, self._escaped = 0, False, False

    def feed(self, text: str) -> int | None:
        """The place behind the object's end in `text`, or None if it goes on."""
        for at, char in enumerate(text):
            if self._quoted:
                if self._escaped or char == "\\":
                    self._escaped = not self._escaped
                elif char == '"':
                    self._quoted = False
            elif char == '"':
                self._quoted = True
            elif char in "{[":
                self._depth += 1
            elif char in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    return at + 1
        return None


def calls_grammar(
    form: CallForm, tools: Sequence[dict[str, Any]], choice: str, *, parallel: bool, special: Mapping[str, int]
) -> str:
    """A grammar for llguidance: calls of `tools` whose arguments fit their schemas.

    Args:
        form: how calls are written.
        tools: as OpenAI's clients give them: `{"type": "function", "function": {...}}`.
        choice: "auto" (text, with calls in it or without), "required", or the name of a tool.
        parallel: whether there may be more than one.
        special: tokens that no text can spell to llguidance, with their ids.
    """
    functions = [tool["function"] for tool in tools]
    if choice not in ("auto", "required"):
        functions = [function for function in functions if function["name"] == choice]
    named = "(" + " | ".join(f"call_{i}" for i in range(len(functions))) + ")"
    if choice == "auto":
        lines = [f"start: {named}{'*' if parallel else '?'} TEXT", "TEXT: /(.|\\n)*/"]
    else:
        lines = [f'start: {named} ("\\n" {named})*' if parallel else f"start: {named}"]
    first, *rest = _literals(form.opening, special)
    for i, function in enumerate(functions):
        opens = first
        if choice == "auto" and first.startswith("<["):  # text cannot run into a special token
            opens = f"TEXT {first}"
        elif choice == "auto":
            lines.append(f"begin_{i}[lazy]: TEXT {first}")
            opens = f"begin_{i}"
        schema = {**(function.get("parameters") or {"type": "object"}), "x-guidance": _SPACED}
        parts = [opens, *rest, *_literals(function["name"] + form.middle, special), f"%json {json.dumps(schema)}"]
        lines.append(f"call_{i}: {' '.join([*parts, *_literals(form.closing, special)])}")
    return "%llguidance {}\n" + "\n".join(lines) + "\n"


_SPACED = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""As templates write JSON, and as models have read it."""


def _literals(text: str, special: Mapping[str, int]) -> list[str]:
    """`text` as a grammar writes it: quoted, its special tokens by their ids."""
    if not special:
        return [json.dumps(text)]
    words = re.split("(" + "|".join(map(re.escape, sorted(special, key=len, reverse=True))) + ")", text)
    return [f"<[{special[word]}]>" if word in special else json.dumps(word) for word in words if word]


def _overlap(text: str, word: str) -> int:
    """How long an end of `text` begins `word`."""
    return next((n for n in range(min(len(word) - 1, len(text)), 0, -1) if text.endswith(word[:n])), 0)
