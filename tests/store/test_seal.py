"""Whatever happens to a sealed folder shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.store import Artifact, Bench, SilentReporter, Store, stage


class Knobs(Section):
    """No settings."""


@stage(version=1)
def writes(bench: Bench, cfg: Knobs) -> None:
    (bench.path / "a" / "b").mkdir(parents=True, exist_ok=True)
    (bench.path / "a" / "b" / "deep.bin").write_bytes(bytes(range(256)))
    (bench.path / "名前.txt").write_text("値")
    (bench.path / "empty").touch()
    bench.facts["bleu"] = 86.6


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


@pytest.fixture
def made(store: Store) -> Artifact:
    return store.run(writes, Knobs())


def _write(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_an_untouched_artifact_has_no_fault(store: Store, made: Artifact) -> None:
    assert store.verify(made.ref) == []
    assert store.verify("writes") == []


def test_every_altered_byte_is_found(store: Store, made: Artifact) -> None:
    for path in [path for path in made.path.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        for at in range(len(content)):
            _write(path, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            assert len(store.verify(made.ref)) == 1, (path, at)
        for other in (content + b"\n", content[:-1], b""):
            _write(path, other)
            assert (store.verify(made.ref) == []) == (other == content), (path, other)
        _write(path, content)
        assert store.verify(made.ref) == []


def test_added_missing_and_linked_files_are_found(store: Store, made: Artifact) -> None:
    deep = made.path / "a" / "b" / "deep.bin"
    deep.rename(store.root / "deep.bin")
    deep.symlink_to(store.root / "deep.bin")
    (made.path / "empty").unlink()
    (made.path / "new").touch()
    (made.path / "linked").symlink_to(made.path / "a", target_is_directory=True)
    assert store.verify(made.ref) == [
        "linked: not in the manifest",
        "new: not in the manifest",
        "a/b/deep.bin: replaced by a link",
        "empty: missing",
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "{}", '{"seal": 1}', "1e999", '{"a": 1e999}', "\ud800", "[" * 100_000, "\x00"]
)
def test_a_damaged_manifest_is_one_clear_error(store: Store, made: Artifact, text: str) -> None:
    _write(made.path / "manifest.json", text.encode("utf-8", "surrogatepass"))
    again: Callable[[], Artifact]
    for again in (lambda: store.get(made.ref), lambda: store.run(writes, Knobs())):
        with pytest.raises(UsageError, match=r"manifest.json: the manifest (is damaged|cannot be read).*Move .* away"):
            again()
    assert len(store.verify(made.ref)) == 1


def test_after_the_advice_is_taken_the_next_run_goes_on(store: Store, made: Artifact) -> None:
    _write(made.path / "manifest.json", b"{")
    made.path.rename(store.root / "away")
    assert store.verify(store.run(writes, Knobs()).ref) == []


def test_a_folder_without_manifest_is_no_artifact(store: Store, made: Artifact) -> None:
    (made.path / "manifest.json").unlink()
    with pytest.raises(UsageError, match="there is no manifest"):
        store.run(writes, Knobs())
    assert (made.path / "empty").exists(), "nothing is deleted"


def test_a_manifest_of_another_schema_is_refused(store: Store, made: Artifact) -> None:
    from tensaku.store import seal

    manifest = {**made.manifest, "schema": 2}
    manifest["seal"] = seal._seal(manifest)
    _write(made.path / "manifest.json", seal._text(manifest).encode())
    with pytest.raises(UsageError, match="has schema 2, this Tensaku reads 1"):
        store.get(made.ref)


def test_a_forged_fact_without_its_seal_is_found(store: Store, made: Artifact) -> None:
    manifest = json.loads((made.path / "manifest.json").read_text())
    manifest["facts"]["bleu"] = 99.9
    _write(made.path / "manifest.json", (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode())
    assert store.verify(made.ref) == ["the manifest is damaged"]
