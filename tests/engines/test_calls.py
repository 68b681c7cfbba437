from __future__ import annotations

import re
from typing import Any

import jinja2
import pytest

from tensaku.engines.calls import CallForm, CallReader, find_form

MARKS = re.compile(r"<\|im_start\|>|<\|im_end\|>|\[TOOL_CALLS\]")
QWEN = """{%- if tools %}<|im_start|>system
# Tools
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}<|im_end|>
{%- endif %}
{%- for m in messages %}
<|im_start|>{{ m.role }}
{%- if m.content %}
{{ m.content }}
{%- endif %}
{%- for call in m.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{%- endfor %}
{%- if add_generation_prompt %}
<|im_start|>assistant
{% endif %}"""
BARE = """{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
{% for call in m.tool_calls %}{"name": "{{ call.function.name }}", "parameters": {{ call.function.arguments | tojson }}}
{%- endfor %}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
FORM = CallForm('<tool_call>\n{"name": "', '", "arguments": ', "}\n</tool_call>")
ONE = '<tool_call>\n{"name": "a", "arguments": {"x": "}{\\"</tool_call>"}}\n</tool_call>'
TWO = '<tool_call>\n{"name": "b", "arguments": {}}\n</tool_call>'


def _form(template: str) -> CallForm | None:
    environment = jinja2.Environment()
    return find_form(lambda **values: environment.from_string(template).render(**values), MARKS)


def test_the_form_is_found_in_the_template() -> None:
    assert _form(QWEN) == FORM
    assert _form(BARE) == CallForm('{"name": "', '", "parameters": ', "}")


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.content }}{% endfor %}",  # no tools
        QWEN.replace("<tool_call>\n", "[TOOL_CALLS]"),  # a mark that no text shows
        QWEN.replace("call.function.arguments | tojson", "call.function.arguments | tojson | tojson"),  # quoted JSON
        QWEN.replace("{%- for call in m.tool_calls %}", "{%- for call in [] %}"),
        "{{ raise_exception('no tools here') }}",
    ],
)
def test_where_calls_cannot_be_told_there_are_none(template: str) -> None:
    assert _form(template) is None


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("text", "said", "calls"),
    [
        ("はい。", "はい。", []),
        ("a < b \n", "a < b \n", []),
        ("<tool_call", "<tool_call", []),
        (ONE, "", [("a", '{"x": "}{\\"</tool_call>"}')]),
        (f"調べます。\n{ONE}\n{TWO}\n", "調べます。", [("a", '{"x": "}{\\"</tool_call>"}'), ("b", "{}")]),
        (f"{TWO}以上。", "以上。", [("b", "{}")]),
        (ONE[:40], "", [("a", ONE[len(FORM.opening) + 1 + len(FORM.middle) : 40])]),
    ],
)
def test_text_and_calls_are_parted_however_they_come(step: int, text: str, said: str, calls: list[Any]) -> None:
    reader = CallReader(FORM, lambda: "id")
    found = [reader.feed(text[at : at + step]) for at in range(0, len(text), step)]
    pieces = [piece for _, pieces in found for piece in pieces]
    assert "".join(part for part, _ in found) + reader.flush() == said
    names = [piece.name for piece in pieces if piece.id]
    arguments = ["".join(p.arguments for p in pieces if p.number == n) for n in range(len(names))]
    assert list(zip(names, arguments, strict=True)) == calls
