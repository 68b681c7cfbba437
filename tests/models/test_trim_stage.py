"""The stage `trim`: what is kept computes as before, and what is tuned on it knows only its words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tensaku.config import Section
from tensaku.errors import DataError, UsageError
from tensaku.models.base import Base, Trim, base, check_trim, source_files, trim
from tensaku.models.tokenizer import Tokenizer
from tensaku.models.weights import Weights
from tensaku.records import Message
from tensaku.store import Artifact, Bench, SourceFile, stage
from tensaku.testing import tiny_pairs
from tensaku.tune import Tune, tune

WORDS = {"市場": ("市", "場"), "上昇": ("上", "昇"), "th": ("t", "h"), "the": ("th", "e"), "ne": ("n", "e")}
LETTERS = "then"


def widen(folder: Path) -> Path:
    """Give the tiny model words of several characters, some of which no Japanese desk needs, and settings with ids."""
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    vocab = content["model"]["vocab"]
    # The unneeded ones stand before the needed ones, so that numbers change.
    for word in [*LETTERS, "the", "ne", "th", "市場", "上昇", "<turn>"]:
        vocab[word] = len(vocab)
    content["model"]["merges"] = [list(pair) for pair in WORDS.values()]
    content["added_tokens"].append(content["added_tokens"][0] | {"id": vocab["<turn>"], "content": "<turn>"})
    content["post_processor"] = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    tensors = load_file(folder / "model.safetensors")
    old = tensors["model.embed_tokens.weight"]
    more = torch.randn(len(vocab) - len(old), old.shape[1], generator=torch.Generator().manual_seed(4)) * 0.2
    tensors["model.embed_tokens.weight"] = torch.cat([old, more])
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    merge(folder / "config.json", vocab_size=len(vocab), eos_token_id=[1, vocab["<turn>"]])
    merge(folder / "generation_config.json", eos_token_id=[1, vocab["<turn>"]], max_new_tokens=7)
    merge(folder / "generation_config.json", suppress_tokens=[vocab["the"], vocab["<turn>"]])
    merge(folder / "tokenizer_config.json", added_tokens_decoder={str(vocab["<turn>"]): {"content": "<turn>"}})
    return folder


def merge(path: Path, **values: Any) -> None:
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(found | values), encoding="utf-8")


@pytest.fixture
def given(shop: Any, gemma: Path, tmp_path: Path) -> dict[str, Any]:
    cfg = Base(model=f"path:{widen(gemma)}")
    (tmp_path / "instruction.md").write_text("公表文に直してください。", encoding="utf-8")
    return {
        "base": shop.store.run(base, cfg, files=source_files(cfg, Path())),
        "lessons": shop.lessons(tiny_pairs(8)),
        "instruction": SourceFile(tmp_path / "instruction.md"),
    }


class Rows(Section):
    """Lines as they are."""

    lines: tuple[str, ...]


@stage(version=1, name="documents")
def _documents(bench: Bench, cfg: Rows) -> None:
    (bench.path / "documents.jsonl").write_text("".join(f"{line}\n" for line in cfg.lines), encoding="utf-8")


def vocabulary(made: Artifact) -> set[str]:
    return set(json.loads(made.file("tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])


def logits(folder: Path, text: str) -> torch.Tensor:
    from tensaku.models.decoder import Decoder
    from tensaku.models.products import plain
    from tensaku.tune.attention import PackedAttention
    from tensaku.tune.pack import Example, pack

    weights, ids = Weights.load(folder), Tokenizer.load(folder).encode(text)
    batch = pack([Example(ids[:1], [*ids[1:], 1])], 0)
    with torch.no_grad():
        hidden = Decoder(weights).hidden(
            batch.ids,
            batch.positions,
            lambda layer, part, x: x @ weights.linear[layer][part].T,
            PackedAttention(weights.shape, batch, plain),
            rows=batch.scored,
        )
        return hidden @ weights.head.T


def test_what_stays_computes_as_before(shop: Any, given: dict[str, Any]) -> None:
    made: Artifact = shop.store.run(trim, Trim(), **given)
    whole = given["base"]
    before, after = (json.loads(a.file("tokenizer.json").read_text(encoding="utf-8")) for a in (whole, made))
    old, new = before["model"]["vocab"], after["model"]["vocab"]
    assert set(old) - set(new) == {"the", "ne", "th"}  # no lesson uses them
    assert sorted(new.values()) == list(range(len(new)))
    text = "市場は1.2%上昇した。"
    rows = [old[word] for word in sorted(new, key=lambda word: int(new[word]))]
    assert (logits(made.path, text) - logits(whole.path, text)[:, rows]).abs().max() < 1e-5
    assert made.facts["vocabulary"] == len(new) == made.facts["vocabulary_before"] - 3
    assert made.facts["untrimmed_sha256"] == whole.facts["sha256"] != made.facts["sha256"]
    assert made.facts["licence"] == whole.facts["licence"]
    assert made.facts["parameters"] == whole.facts["parameters"] - 3 * 32


def test_every_setting_speaks_of_the_new_numbers(shop: Any, given: dict[str, Any]) -> None:
    made: Artifact = shop.store.run(trim, Trim(), **given)
    content = json.loads(made.file("tokenizer.json").read_text(encoding="utf-8"))
    turn = content["model"]["vocab"]["<turn>"]
    assert (
        turn != json.loads(given["base"].file("tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]["<turn>"]
    )
    assert json.loads(made.file("config.json").read_text())["eos_token_id"] == [1, turn]
    generation = json.loads(made.file("generation_config.json").read_text())
    assert generation == {"eos_token_id": [1, turn], "max_new_tokens": 7, "suppress_tokens": [turn]}
    assert "added_tokens_decoder" not in json.loads(made.file("tokenizer_config.json").read_text())
    tokenizer = Tokenizer.load(made.path)
    assert tokenizer.eos == {1, turn}
    assert tokenizer.encode("<turn>") == [turn]
    assert turn not in tokenizer.chat([Message("user", "<turn>")])


def test_the_adapter_is_taught_on_the_trimmed_model(shop: Any, given: dict[str, Any]) -> None:
    small: Artifact = shop.store.run(trim, Trim(), **given)
    made = shop.store.run(tune, Tune(epochs=1, rank=2), **given | {"base": small})
    assert made.facts["base"] == small.ref
    assert made.inputs["base"] == small.ref
    config = json.loads(made.file("adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == small.ref
    assert made.facts["last_loss"] < made.facts["first_loss"]


def test_merges_in_the_old_spelling(shop: Any, given: dict[str, Any], gemma: Path) -> None:
    content = json.loads((gemma / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    (gemma / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    cfg = Base(model=f"path:{gemma}")
    old = shop.store.run(base, cfg, files=source_files(cfg, Path()))
    made = shop.store.run(trim, Trim(), **given | {"base": old})
    assert made.facts["vocabulary"] == made.facts["vocabulary_before"] - 3
    assert len(Tokenizer.load(made.path).encode("市場")) == 1


def test_english_and_house_documents(shop: Any, given: dict[str, Any]) -> None:
    """`the` and `ne` are English by rule; for Japanese they stay where a house document uses them."""
    words = {"th", "the", "ne"}
    assert words <= vocabulary(shop.store.run(trim, Trim(keep="en"), **given))
    assert words <= vocabulary(shop.store.run(trim, Trim(keep="ja+en"), **given))
    documents = shop.store.run(_documents, Rows(lines=('{"text": "ne\u2028", "source": "x"}', '{"text": "市場"}')))
    made = shop.store.run(trim, Trim(), **given, documents=documents)
    assert words & vocabulary(made) == {"ne"}
    assert made.inputs["documents"] == documents.ref


@pytest.mark.parametrize("line", ["{", '{"body": "x"}', "[]"])
def test_documents_that_are_none(shop: Any, given: dict[str, Any], line: str) -> None:
    documents = shop.store.run(_documents, Rows(lines=('{"text": "市場"}', line)))
    with pytest.raises(DataError, match=r"documents\.jsonl, line 2: this line is no document"):
        shop.store.run(trim, Trim(), **given, documents=documents)


def test_what_ends_an_answer_is_kept_whatever_it_is(shop: Any, given: dict[str, Any], gemma: Path) -> None:
    number = json.loads((gemma / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]["the"]
    merge(gemma / "generation_config.json", eos_token_id=[1, number])
    cfg = Base(model=f"path:{gemma}")
    other = shop.store.run(base, cfg, files=source_files(cfg, Path()))
    made = shop.store.run(trim, Trim(), **given | {"base": other})
    tokenizer = Tokenizer.load(made.path)
    assert tokenizer.eos == {1, *tokenizer.encode("the")}


def test_there_is_nothing_to_trim(shop: Any, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="there is nothing to trim"):
        shop.store.run(trim, Trim(keep="all"), **given)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda model: model | {"byte_fallback": False}, "BPE without bytes"),
        (lambda model: model | {"end_of_word_suffix": "</w>"}, "BPE"),
        (lambda model: {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]]}, "Unigram"),
        (lambda model: {"type": "WordPiece", "unk_token": "[UNK]", "vocab": model["vocab"]}, "WordPiece"),
    ],
)
def test_another_kind_of_vocabulary_is_refused_before_any_work(gemma: Path, spoil: Any, kind: str) -> None:
    content = json.loads((gemma / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"] = spoil(content["model"])
    (gemma / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    what = rf'vocabulary cannot be cut: its tokenizer is of the kind {kind}\..*Set trim\.keep = "all"'
    with pytest.raises(UsageError, match=what) as caught:
        check_trim(f"path:{gemma.name}", Trim(), gemma.parent)
    assert str(gemma / "tokenizer.json") in str(caught.value)
    check_trim(f"path:{gemma.name}", Trim(keep="all"), gemma.parent)


def test_what_is_not_cheap_to_know_is_left_to_the_stage(tmp_path: Path, gemma: Path) -> None:
    for model in ("demo:gemma-3-270m", "hf:a/b", "gguf:x.gguf", "path:nowhere", f"path:{gemma}"):
        check_trim(model, Trim(), tmp_path)


def test_the_stage_refuses_it_too(shop: Any, given: dict[str, Any], gemma: Path) -> None:
    content = json.loads((gemma / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["byte_fallback"] = False
    (gemma / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    cfg = Base(model=f"path:{gemma}")
    other = shop.store.run(base, cfg, files=source_files(cfg, Path()))
    with pytest.raises(UsageError, match=r'vocabulary cannot be cut.*Set trim\.keep = "all"'):
        shop.store.run(trim, Trim(), **given | {"base": other})
    (gemma / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="the tokenizer cannot be read"):
        check_trim(f"path:{gemma}", Trim(), Path())
