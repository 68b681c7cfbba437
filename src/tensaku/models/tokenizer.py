"""Words to token ids and back, from the `tokenizer.json` of a model folder, and its chat template."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensaku.errors import MissingExtra, UsageError
from tensaku.records import Message, ToolCall

__all__ = ["Tokenizer", "special_tokens"]


class Tokenizer:
    """The tokenizer of one model. Thread-safe; ids are those of the model's embedding rows."""

    def __init__(self, core: Any, template: str, special: dict[str, str], eos: frozenset[int]) -> None:
        self._core = core
        self._special = special
        self._marks = _marks(core)
        self._template = _compile(template)
        self.template = template
        self.eos = eos
        """The ids that end an answer."""

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """The tokenizer of the model in `folder`.

        Raises:
            UsageError: files are missing or damaged, there is no chat template, or no end-of-text token.
        """
        try:
            from jinja2 import TemplateError
            from tokenizers import Tokenizer as Core
        except ImportError:
            raise MissingExtra("tokenizers", "tune") from None
        path = folder / "tokenizer.json"
        if not path.exists():
            raise UsageError("this model folder has no tokenizer.json", where=folder, fix="Copy it from the model")
        try:
            core = Core.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise UsageError(f"the tokenizer cannot be read ({error})", where=path) from None
        config = _json(folder / "tokenizer_config.json")
        template = _template(folder, config)
        special = {f"{name}_token": token for name, token in special_tokens(folder).items() if name in ("bos", "eos")}
        eos = _eos_ids(folder, core, special)
        if not eos:
            raise UsageError("the model names no end-of-text token", where=folder, fix="Set eos_token in its files")
        try:
            return cls(core, template, special, eos)
        except TemplateError as error:
            raise UsageError(f"the model's chat template cannot be read ({error})", where=folder) from None

    def __len__(self) -> int:
        return int(self._core.get_vocab_size(with_added_tokens=True))

    @property
    def start(self) -> int:
        """The id that a text begins with: the model's own, or for a model that has none, one that ends a text."""
        named = self._core.token_to_id(self._special.get("bos_token", ""))
        return min(self.eos) if named is None else int(named)

    @property
    def json(self) -> str:
        """What tokenizer.json says."""
        return str(self._core.to_str())

    def encode(self, text: str) -> list[int]:
        """Ids of `text` alone, without any token put before or after it; special tokens in it are recognised."""
        return list(self._core.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens left out."""
        return str(self._core.decode(list(ids), skip_special_tokens=True))

    def plain(self, text: str) -> str:
        """`text` with every special token's spelling broken up, so that a document cannot speak as the template."""
        while self._marks is not None and self._marks.search(text):  # again where two overlapped
            text = self._marks.sub(lambda found: found[0][0] + "\u200b" + found[0][1:], text)
        return text

    def chat(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = ()) -> list[int]:
        """Ids of a conversation through the model's chat template, up to where the next answer begins.

        `tools` are those that may be called, as OpenAI's clients write them.

        Raises:
            UsageError: the template refuses these messages.
        """
        from jinja2 import TemplateError

        turns = [self._turn(message) for message in messages]
        more = {"tools": [self._plain_values(tool) for tool in tools]} if tools else {}
        try:
            text = self.render(messages=turns, add_generation_prompt=True, **more)
        except TemplateError as error:
            raise UsageError(f"the model's chat template refuses these messages ({error})") from None
        return self.encode(text)

    def render(self, **values: Any) -> str:
        """What the chat template makes of `values`; text in them is taken as it stands.

        Raises:
            jinja2.TemplateError: it refuses them.
        """
        return str(self._template.render(**values, **self._special))

    @property
    def marks(self) -> re.Pattern[str] | None:
        """What finds the spelling of a special token; None if there is none that is longer than a sign."""
        return self._marks

    @property
    def added(self) -> dict[str, int]:
        """The words that stand beside the vocabulary proper, special or not, with their ids."""
        return {token.content: number for number, token in self._core.get_added_tokens_decoder().items()}

    def _turn(self, message: Message) -> dict[str, Any]:
        turn: dict[str, Any] = {"role": message.role, "content": self.plain(message.content)}
        if message.calls:
            turn["tool_calls"] = [
                {"id": c.id, "type": "function", "function": self._plain_values({"name": c.name, **_arguments(c)})}
                for c in message.calls
            ]
        if message.call_id:
            turn["tool_call_id"] = message.call_id
        return turn

    def _plain_values(self, value: Any) -> Any:
        """`value`, JSON, with every text in it broken up as `plain` does."""
        if isinstance(value, str):
            return self.plain(value)
        if isinstance(value, dict):
            return {self.plain(str(key)): self._plain_values(held) for key, held in value.items()}
        return [self._plain_values(held) for held in value] if isinstance(value, list) else value


def special_tokens(folder: Path) -> dict[str, str]:
    """What a model folder says stands for the beginning (`bos`), the end (`eos`), padding (`pad`) and the unknown
    (`unk`), as far as it says so.

    Raises:
        UsageError: tokenizer_config.json is damaged.
    """
    config = _json(folder / "tokenizer_config.json")
    names = ("bos", "eos", "pad", "unk")
    return {name: _content(config[f"{name}_token"]) for name in names if config.get(f"{name}_token")}


def _arguments(call: ToolCall) -> dict[str, Any]:
    """Templates write arguments as JSON themselves.

    Raises:
        UsageError: they are no JSON object.
    """
    try:
        found = json.loads(call.arguments or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"the arguments of the call {call.name!r} are no JSON object", where="messages")
    return {"arguments": found}


def _marks(core: Any) -> re.Pattern[str] | None:
    """What finds the spelling of any special token that can be broken up, the longest first."""
    found = {t.content for t in core.get_added_tokens_decoder().values() if t.special and len(t.content) > 1}
    return re.compile("|".join(map(re.escape, sorted(found, key=len, reverse=True)))) if found else None


def _compile(template: str) -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        from jinja2 import TemplateError

        raise TemplateError(message)

    loops = ["jinja2.ext.loopcontrols"]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=loops)
    environment.globals["raise_exception"] = refuse
    environment.filters["tojson"] = _to_json
    return environment.from_string(template)


def _to_json(value: Any, ensure_ascii: bool = False, **how: Any) -> str:
    """As Transformers renders it: text as it stands, where Jinja's own would escape it for a page."""
    return json.dumps(value, ensure_ascii=ensure_ascii, **how)


def _template(folder: Path, config: dict[str, Any]) -> str:
    path = folder / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):  # several named ones
        template = next((t["template"] for t in template if t.get("name") == "default"), None)
    if not isinstance(template, str):
        fix = "Give it one: chat_template.jinja beside config.json"
        raise UsageError("this model has no chat template", where=folder, fix=fix)
    return template


def _eos_ids(folder: Path, core: Any, special: dict[str, str]) -> frozenset[int]:
    named = _json(folder / "generation_config.json").get("eos_token_id")
    if named is None:
        named = core.token_to_id(special.get("eos_token", ""))
    if named is None:
        named = _json(folder / "config.json").get("eos_token_id")
    ids = named if isinstance(named, list) else [named]
    return frozenset(int(i) for i in ids if i is not None)


def _content(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"not readable as JSON ({error})", where=path) from None
    if not isinstance(found, dict):
        raise UsageError("not a JSON object", where=path)
    return found
