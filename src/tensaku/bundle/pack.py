"""Packing: the folder is made beside its place and takes it when it is whole, so that half a bundle is never one."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import platform
import shutil
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import tensaku
from tensaku.bundle.pins import Pin
from tensaku.bundle.wheels import build_own, fetch, licences_in, named, source_of
from tensaku.errors import UsageError
from tensaku.govern.bom import check_bill, flow_down, sign
from tensaku.store import Reporter
from tensaku.store.artifact import sha256_of

__all__ = ["Bundled", "bundle"]

_SUMS = "SHA256SUMS"
_SCRIPT = "install.sh"


@dataclass(frozen=True, slots=True)
class Bundled:
    """A bundle: where it is, how many wheels and bytes, and the SHA-256 of its list of checksums."""

    folder: str
    packages: int
    bytes: int
    sums_sha256: str
    signed: bool


def bundle(
    out: Path,
    wanted: Sequence[Pin],
    *,
    reporter: Reporter,
    source: Path | None = None,
    wheels: Path | None = None,
    key: Path | None = None,
) -> Bundled:
    """Make a bundle at `out`. A run that was killed goes on with the wheels that it had.

    Args:
        out: the folder to be made.
        wanted: the packages beside Tensaku itself.
        reporter: where progress goes.
        source: the checkout of Tensaku; by default the one that runs.
        wheels: a folder of wheels to take from instead of wherever pip looks.
        key: signs the bill of materials (Ed25519; made if it is not there); None: it is not signed.

    Raises:
        UsageError: `out` is there already or cannot be written, or there is no source.
        StageError: pip failed.
        GateError: the bill does not fit its standard.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("this is there already", where=out, fix="Name a new folder; a bundle is never written over")
    if wheels is not None and not wheels.is_dir():
        raise UsageError("there is no such folder", where=wheels, fix="Name a folder of wheels with --wheels")
    code = source_of(source)
    part = out.with_name(f".{out.name}.part")
    try:
        (part / "wheels").mkdir(parents=True, exist_ok=True)
        _empty(part)
        with reporter.task(f"fetch {len(wanted)} packages"):
            fetch(wanted, part / "wheels", wheels)
        with reporter.task("build Tensaku"):
            build_own(code, part / "wheels")
        with reporter.task("write licences, bill of materials, checksums"):
            signed = _papers(part, wanted, key)
            digest = _sums(part)
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists():
            out.rmdir()
        part.rename(out)
    except OSError as error:
        what = f"the bundle cannot be written ({error.strerror or error})"
        raise UsageError(what, where=out, fix="Free some space, or name a folder that you may write to") from None
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return Bundled(str(out), len(wanted) + 1, size, digest, signed)


def _empty(part: Path) -> None:
    """Take away all but the wheels of a run that was killed."""
    for path in part.iterdir():
        if path.name != "wheels":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _papers(part: Path, wanted: Sequence[Pin], key: Path | None) -> bool:
    """Everything beside the wheels and the checksums; whether the bill was signed."""
    own = Pin("tensaku", tensaku.__version__, "code", "unknown")
    known = {pin.name: pin for pin in (*wanted, own)}
    held = [(known[named(wheel)[0]], wheel) for wheel in sorted((part / "wheels").glob("*.whl"))]
    digests = {pin.name: sha256_of(wheel) for pin, wheel in held}
    lines = [f"{pin.line} --hash=sha256:{digests[pin.name]}\n" for pin, _ in held]
    (part / "requirements.txt").write_text("".join(lines), encoding="utf-8")
    _licences(part / "licences", held)
    bill = _bill(held, digests)
    check_bill(bill)
    (part / "bom.json").write_text(json.dumps(bill, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if key is not None:
        sign(part / "bom.json", key)
    template = (resources.files("tensaku.bundle") / _SCRIPT).read_text(encoding="utf-8")
    about = {"@VERSION@": tensaku.__version__, "@MACHINE@": platform.machine(), "@SYSTEM@": platform.system()}
    about["@PYTHON@"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    for word, value in about.items():
        template = template.replace(word, value)
    (part / _SCRIPT).write_text(template, encoding="utf-8")
    (part / _SCRIPT).chmod(0o755)
    for name in ("README.md", "README.ja.md"):
        text = (resources.files("tensaku.bundle") / name).read_text(encoding="utf-8")
        for word, value in about.items():
            text = text.replace(word, value)
        (part / name).write_text(text, encoding="utf-8")
    return key is not None


def _licences(folder: Path, held: Sequence[tuple[Pin, Path]]) -> None:
    """The licences that the wheels carry, and a table of every package with what its licence asks."""
    table = io.StringIO()
    write = csv.writer(table, lineterminator="\n")
    write.writerow(("package", "version", "kind", "licence", "files", "asks_ja", "asks_en"))
    for pin, wheel in held:
        names = []
        for name, content in licences_in(wheel):
            target = folder / f"{pin.name}-{pin.version}" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            names.append(name)
        duty = flow_down({pin.name: pin.licence})[0] if pin.kind == "model" else {"ja": "", "en": ""}
        write.writerow((pin.name, pin.version, pin.kind, pin.licence, "; ".join(names), duty["ja"], duty["en"]))
    folder.mkdir(exist_ok=True)
    (folder / "packages.csv").write_text("\ufeff" + table.getvalue(), encoding="utf-8")  # which Excel wants


def _bill(held: Sequence[tuple[Pin, Path]], digests: dict[str, str]) -> dict[str, Any]:
    """CycloneDX 1.6 of what is packed: every wheel with the hash that it is installed by."""
    kinds = {"code": "library", "model": "machine-learning-model", "dictionary": "data"}
    components = [
        {
            "type": kinds[pin.kind],
            "bom-ref": f"pkg:pypi/{pin.name}@{pin.version}",
            "name": pin.name,
            "version": pin.version,
            "purl": f"pkg:pypi/{pin.name}@{pin.version}",
            "hashes": [{"alg": "SHA-256", "content": digests[pin.name]}],
            "licenses": [{"license": {"name": pin.licence}}],
            "properties": [{"name": "tensaku:wheel", "value": wheel.name}],
        }
        for pin, wheel in held
    ]
    whole = hashlib.sha256("".join(sorted(digests.values())).encode()).hexdigest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(whole[:32])}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {"type": "application", "name": "tensaku bundle", "version": tensaku.__version__},
        },
        "components": components,
    }


def _sums(part: Path) -> str:
    """Write the checksums of everything, on the disk with all it speaks of; the SHA-256 of the list."""
    lines = []
    for path in sorted(path for path in part.rglob("*") if path.is_file()):
        lines.append(f"{sha256_of(path)}  {path.relative_to(part).as_posix()}\n")
        with path.open("rb") as file:
            os.fsync(file.fileno())
    content = "".join(lines).encode()
    with (part / _SUMS).open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    return hashlib.sha256(content).hexdigest()
