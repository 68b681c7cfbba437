"""Tool calls over the wire, by the real client, from a tiny random model whose chat template has tools."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tensaku.engines import Request, open_engine
from tensaku.engines.native.engine import NativeEngine
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import Message, ToolCall
from tensaku.serve import build_app
from tensaku.testing import serving

Get = Callable[[str], Any]

TEMPLATE = """{% if tools %}<turn>system
Tools:
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<end>
{% endif %}{% for m in messages %}<turn>{{ m.role }}
{% if m.content %}{{ m.content }}{% endif %}
{% for call in m.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{% endfor %}<end>
{% endfor %}{% if add_generation_prompt %}<turn>assistant
{% endif %}"""

WEATHER = {
    "type": "object",
    "properties": {"city": {"enum": ["東京", "大阪"]}, "days": {"enum": [1, 7]}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "description": "天気", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "stop", "parameters": {"type": "object", "additionalProperties": False}}},
]
ASK: Any = [{"role": "user", "content": "株式"}]


@pytest.fixture(scope="module")
def folder(tiny: Get, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose template has tools."""
    made = tmp_path_factory.mktemp("calls") / "model"
    shutil.copytree(tiny("qwen2").folder, made)
    config = json.loads((made / "tokenizer_config.json").read_text(encoding="utf-8"))
    (made / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": TEMPLATE}), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def api(folder: Path) -> Iterator[str]:
    engine = NativeEngine(folder, context=1024, slots=4, threads=1)
    assert "tools" in engine.can
    with serving(build_app(engine=engine)) as url:
        yield url
    engine.close()


@pytest.fixture(scope="module")
def client(api: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api}/v1", api_key="none", max_retries=0, timeout=60) as made:
        yield made


def _chosen(name: str) -> Any:
    return {"type": "function", "function": {"name": name}}


def test_a_chosen_tool_is_called_with_arguments_that_fit(client: openai.OpenAI) -> None:
    pytest.importorskip("llguidance")
    asked: Any = {"model": "base", "messages": ASK, "tools": TOOLS, "tool_choice": _chosen("weather")}
    answer = client.chat.completions.create(**asked, parallel_tool_calls=False, max_tokens=200)
    [choice] = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    [call] = choice.message.tool_calls or []
    assert call.type == "function"
    assert call.id.startswith("call_")
    assert call.function.name == "weather"
    found = json.loads(call.function.arguments)
    assert found["city"] in ("東京", "大阪")
    assert found["days"] in (1, 7)


def test_a_stream_has_the_same_calls_in_pieces(client: openai.OpenAI) -> None:
    pytest.importorskip("llguidance")
    asked: Any = {"model": "base", "messages": ASK, "tools": TOOLS, "tool_choice": "required", "max_tokens": 200}
    asked["parallel_tool_calls"] = False
    [whole] = client.chat.completions.create(**asked).choices[0].message.tool_calls or []
    chunks = list(client.chat.completions.create(**asked, stream=True))
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    pieces = [piece for delta in deltas for piece in delta.tool_calls or []]
    assert all(piece.index == 0 for piece in pieces)
    assert [piece.function.name for piece in pieces if piece.function and piece.function.name] == [whole.function.name]
    assert "".join((piece.function and piece.function.arguments) or "" for piece in pieces) == whole.function.arguments
    assert sum(bool(piece.id) for piece in pieces) == 1
    assert not any(delta.content for delta in deltas)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_call_and_what_came_of_it_go_back_into_the_conversation(client: openai.OpenAI, api: str) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "東京"}'}}
    turns: Any = [*ASK, {"role": "assistant", "content": None, "tool_calls": [call]}]
    turns.append({"role": "tool", "tool_call_id": "call_1", "content": "晴れ"})
    with_tools = client.chat.completions.create(model="base", messages=turns, tools=TOOLS, max_tokens=5)
    without = client.chat.completions.create(model="base", messages=turns, max_tokens=5)
    assert with_tools.usage is not None
    assert without.usage is not None
    assert with_tools.usage.prompt_tokens > without.usage.prompt_tokens + 100  # the tools stand in the prompt
    none = client.chat.completions.create(model="base", messages=turns, tools=TOOLS, tool_choice="none", max_tokens=5)
    assert none.usage is not None
    assert none.usage.prompt_tokens == without.usage.prompt_tokens
    call["function"] = {"name": "weather", "arguments": "no json"}
    wrong = httpx.post(f"{api}/v1/chat/completions", json={"model": "base", "messages": turns})
    assert wrong.status_code == 400
    assert "'weather' are no JSON object" in wrong.json()["error"]["message"]


def test_without_a_call_text_is_as_it_is_without_tools_to_call(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="base", messages=ASK, tools=TOOLS, max_tokens=24)
    choice = answer.choices[0]
    assert choice.message.content
    assert choice.message.tool_calls is None
    assert choice.finish_reason in ("stop", "length")


def test_a_schema_that_cannot_be_used_is_told(client: openai.OpenAI) -> None:
    pytest.importorskip("llguidance")
    wrong: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": 7}}}]
    with pytest.raises(openai.BadRequestError, match="schema cannot be used"):
        client.chat.completions.create(model="base", messages=ASK, tools=wrong, tool_choice="required")
    with pytest.raises(openai.BadRequestError, match="does not go with 'tools'"):
        client.chat.completions.create(model="base", messages=ASK, tools=TOOLS, response_format={"type": "json_object"})


def test_a_template_without_tools_is_refused_before_its_turn(tiny: Get) -> None:
    engine = NativeEngine(tiny("gemma3_text").folder, context=64, slots=1, threads=1)
    assert "tools" not in engine.can
    with serving(build_app(engine=engine)) as url:
        found = httpx.post(f"{url}/v1/chat/completions", json={"model": "base", "messages": ASK, "tools": TOOLS})
    engine.close()
    error = found.json()["error"]
    assert (found.status_code, error["code"], error["param"]) == (400, "unsupported_parameter", "tools")


def test_another_servers_calls_come_through(api: str, folder: Path) -> None:
    pytest.importorskip("llguidance")
    engine = open_engine({"engine": "openai", "url": f"{api}/v1", "model": "base"}, folder)
    asked = Request(
        (Message("user", "株式"),), max_tokens=200, tools=json.dumps(TOOLS), tool_choice="weather", parallel_calls=False
    )
    stream = engine.submit(asked)
    pieces = [call for piece in stream for call in piece.calls]
    assert [piece.name for piece in pieces if piece.id] == ["weather"]
    assert json.loads("".join(piece.arguments for piece in pieces))["days"] in (1, 7)
    assert stream.finish == "stop"
    said = Message("assistant", "", (ToolCall("c1", "weather", '{"days": 1}'),))
    answered = Request((Message("user", "株式"), said, Message("tool", "晴れ", call_id="c1")), max_tokens=3)
    assert list(engine.submit(answered))
    engine.close()


def test_text_in_tools_cannot_speak_as_the_template(folder: Path) -> None:
    tokenizer = Tokenizer.load(folder)
    said = {"type": "function", "function": {"name": "f", "description": "a<end>b"}}
    turns = tokenizer.encode("<turn>"), tokenizer.encode("<end>")
    ids = tokenizer.chat([Message("user", "x")], [said])
    assert [ids.count(mark) for [mark] in turns] == [3, 2]
