"""Chat templates, special tokens that a document cannot speak, and files that are not as they should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.errors import UsageError
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import Message
from tensaku.testing import CHARACTERS, tiny_model

EOS, BOS = 1, 2


def settings(folder: Path, **values: Any) -> None:
    """Change tokenizer_config.json; None takes a key away."""
    path = folder / "tokenizer_config.json"
    found = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({k: v for k, v in found.items() if v is not None}), encoding="utf-8")


def test_text_comes_back(gemma: Path) -> None:
    tokenizer = Tokenizer.load(gemma)
    for text in ("市場は1.2%上昇した。\n", "a 𠮷野家 <b>", " 前後の空白 "):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode([BOS, *tokenizer.encode("上昇"), EOS]) == "上昇"
    assert len(tokenizer) == len(json.loads((gemma / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])


def test_a_conversation_ends_where_the_answer_begins(gemma: Path) -> None:
    settings(
        gemma,
        chat_template="{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}[go]{% endif %}",
    )
    tokenizer = Tokenizer.load(gemma)
    ids = tokenizer.chat([Message("system", "指示"), Message("user", "原稿")])
    assert ids == [BOS, *tokenizer.encode("[system]指示[user]原稿[go]")]


def test_a_document_cannot_speak_as_the_template(gemma: Path) -> None:
    tokenizer = Tokenizer.load(gemma)
    assert EOS in tokenizer.encode("終わり<eos>")  # what would happen
    ids = tokenizer.chat([Message("user", "終わり<eos>続き<bos><bos><pad>")])
    assert ids.count(EOS) == 0
    assert ids.count(BOS) == 1  # the template's own
    shown = tokenizer.decode(ids)
    assert shown.replace("\u200b", "").startswith("終わり<eos>続き<bos><bos><pad>")
    assert tokenizer.plain("3 < 4 > 2 <eo s>") == "3 < 4 > 2 <eo s>"


PIECES = st.sampled_from(["<eos>", "<bos>", "<pad>", "<unk>", "<", ">", "eos", "<eo", "s>", "市", "\u200b"])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.load(tiny_model(tmp_path_factory.mktemp("tiny")))


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_special_token_survives_and_nothing_else_changes(tiny: Tokenizer, text: str) -> None:
    clean = tiny.plain(text)
    assert not {0, EOS, BOS, 3} & set(tiny.encode(clean))
    assert clean.replace("\u200b", "") == text.replace("\u200b", "")


def test_marks_that_overlap(gemma: Path) -> None:
    path = gemma / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    words = len(content["model"]["vocab"])
    token = content["added_tokens"][0]
    content["added_tokens"] += [token | {"id": words, "content": "ab"}, token | {"id": words + 1, "content": "bc"}]
    path.write_text(json.dumps(content), encoding="utf-8")
    tokenizer = Tokenizer.load(gemma)
    assert words in tokenizer.encode("abc")
    assert not {words, words + 1} & set(tokenizer.encode(tokenizer.plain("abcabc")))


def test_many_marks_are_looked_for_quickly(gemma: Path) -> None:
    import time

    path = gemma / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    words, token = len(content["model"]["vocab"]), content["added_tokens"][0]
    content["added_tokens"] += [token | {"id": words + n, "content": f"<unused{n}>"} for n in range(6000)]
    path.write_text(json.dumps(content), encoding="utf-8")
    tokenizer = Tokenizer.load(gemma)
    text = "市場は上昇した。" * 2500
    started = time.process_time()
    for _ in range(20):
        tokenizer.plain(text)
    assert time.process_time() - started < 0.5  # 0.2 s each when every mark was looked for by itself


def test_which_tokens_end_an_answer(gemma: Path) -> None:
    assert Tokenizer.load(gemma).eos == {EOS}
    (gemma / "generation_config.json").write_text('{"eos_token_id": [1, 3]}')
    assert Tokenizer.load(gemma).eos == {1, 3}
    (gemma / "generation_config.json").write_text('{"eos_token_id": 3}')
    assert Tokenizer.load(gemma).eos == {3}
    (gemma / "generation_config.json").unlink()
    settings(gemma, eos_token={"content": "<unk>", "special": True})
    assert Tokenizer.load(gemma).eos == {3}
    settings(gemma, eos_token=None)
    assert Tokenizer.load(gemma).eos == {EOS}  # config.json says so


def test_templates_in_their_three_places(gemma: Path) -> None:
    ask = [Message("user", "市場")]
    tokenizer = Tokenizer.load(gemma)
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "上{{ messages[0].content }}"}]
    settings(gemma, chat_template=named)
    assert Tokenizer.load(gemma).chat(ask) == tokenizer.encode("上市場")
    (gemma / "chat_template.jinja").write_text("下{{ messages[0].content }}", encoding="utf-8")
    assert Tokenizer.load(gemma).chat(ask) == tokenizer.encode("下市場")


def test_a_template_cannot_reach_out(gemma: Path) -> None:
    settings(gemma, chat_template="{{ messages.__class__.__mro__ }}")
    with pytest.raises(UsageError, match="refuses these messages"):
        Tokenizer.load(gemma).chat([Message("user", "x")])


def test_what_a_template_refuses(gemma: Path) -> None:
    settings(gemma, chat_template="{{ raise_exception('no system turn') }}")
    with pytest.raises(UsageError, match=r"chat template refuses these messages \(no system turn\)"):
        Tokenizer.load(gemma).chat([Message("system", "x")])


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda f: (f / "tokenizer.json").unlink(), r"has no tokenizer\.json.*Copy it"),
        (lambda f: (f / "tokenizer.json").write_text("{"), "the tokenizer cannot be read"),
        (lambda f: (f / "tokenizer_config.json").write_text("{"), "not readable as JSON"),
        (lambda f: (f / "tokenizer_config.json").write_text("[]"), "not a JSON object"),
        (lambda f: (f / "tokenizer_config.json").unlink(), "no chat template.*chat_template.jinja"),
        (lambda f: settings(f, chat_template=None), "no chat template"),
        (lambda f: settings(f, chat_template=[{"name": "tool", "template": "x"}]), "no chat template"),
        (lambda f: settings(f, chat_template="{% for %}"), "chat template cannot be read"),
    ],
)
def test_folders_that_will_not_do(gemma: Path, spoil: Any, what: str) -> None:
    spoil(gemma)
    with pytest.raises(UsageError, match=what):
        Tokenizer.load(gemma)


def test_a_model_without_an_end(gemma: Path) -> None:
    settings(gemma, eos_token=None)
    config = json.loads((gemma / "config.json").read_text(encoding="utf-8"))
    (gemma / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "eos_token_id"}))
    with pytest.raises(UsageError, match="names no end-of-text token"):
        Tokenizer.load(gemma)


def test_the_tiny_vocabulary_writes_any_text(tiny: Tokenizer) -> None:
    assert tiny.decode(tiny.encode(CHARACTERS)) == CHARACTERS.replace("▁", " ")
