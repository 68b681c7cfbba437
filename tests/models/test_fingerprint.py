from hashlib import sha256
from pathlib import Path

from tensaku.engines import open_engine
from tensaku.models.base import Base, base, source_files
from tensaku.models.fingerprint import sealed_weights_hash, weights_hash
from tensaku.store import Artifact, Bench, SilentReporter, Store, stage
from tensaku.testing import tiny_model


@stage(version=1)
def holding(bench: Bench, cfg: Base) -> None:
    for name in ("model/b.safetensors", "model/a.safetensors", "model/config.json", "c.safetensors"):
        (bench.path / name).parent.mkdir(exist_ok=True)
        (bench.path / name).write_text(name)


def test_one_file_alone_and_several_in_order(tmp_path: Path) -> None:
    assert weights_hash(tmp_path) == ""
    (tmp_path / "b.safetensors").write_bytes(b"2")
    assert weights_hash(tmp_path) == sha256(b"2").hexdigest()
    (tmp_path / "a.safetensors").write_bytes(b"1")
    assert weights_hash(tmp_path) == f"{sha256(b'1').hexdigest()}+{sha256(b'2').hexdigest()}"


def test_a_manifest_says_the_same_as_the_files(workspace: Path) -> None:
    made: Artifact = Store(workspace, SilentReporter()).run(holding, Base())
    assert sealed_weights_hash(made, "model") == weights_hash(made.path / "model")
    assert sealed_weights_hash(made, "gone") == ""


def test_artifact_and_engine_name_a_base_alike(workspace: Path, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model")
    cfg = Base(model=f"path:{folder}")
    made = Store(workspace, SilentReporter()).run(base, cfg, files=source_files(cfg, tmp_path))
    names = set()
    for place in (folder, made.path):
        engine = open_engine("native", place)
        names.add(engine.identity(None)["base"])
        engine.close()
    assert names == {made.facts["sha256"]} == {weights_hash(folder)}
