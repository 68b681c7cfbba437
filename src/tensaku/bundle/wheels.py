"""The wheels of a bundle: fetched or built by pip, checked against the pins, hashed; and the licences inside them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import tensaku
from tensaku.bundle.pins import Pin
from tensaku.errors import StageError, UsageError

__all__ = ["build_own", "fetch", "licences_in", "named", "source_of"]

_LICENCE = re.compile(r"(licen[cs]e|copying|notice|authors|terms|patents)[^/]*$", re.IGNORECASE)
_CODE = (".py", ".pyc", ".so", ".pyi", ".h")
_LONGEST = 2 << 20  # a licence is text; what is longer is something else of that name


def source_of(given: Path | None) -> Path:
    """The folder that Tensaku's own wheel is built from: `given`, or the checkout that runs.

    Raises:
        UsageError: there is none.
    """
    folder = given or Path(tensaku.__file__).parents[2]
    project = folder / "pyproject.toml"
    if not project.is_file() or 'name = "tensaku"' not in project.read_text(encoding="utf-8", errors="replace"):
        what = "this is no source of Tensaku: it has no pyproject.toml of that name"
        raise UsageError(what, where=folder, fix="Name a checkout with --source DIR")
    return folder


def named(wheel: Path) -> tuple[str, str]:
    """Normalised name and public version of a wheel, from its file's name."""
    name, version, *_ = wheel.name.split("-")
    return re.sub(r"[-_.]+", "-", name).lower(), version.partition("+")[0]


def fetch(wanted: Sequence[Pin], folder: Path, house: Path | None) -> None:
    """Have exactly the wheels of `wanted` in `folder`; those that are there already are not fetched again.

    Args:
        wanted: the packages.
        folder: where the wheels go.
        house: a folder of wheels to take them from, with no network; None: wherever pip is set up to look.

    Raises:
        StageError: pip could not get one; its last words are told.
    """
    versions = {(pin.name, pin.version) for pin in wanted}
    for wheel in folder.glob("*.whl"):
        if named(wheel) not in versions or not zipfile.is_zipfile(wheel):  # of another try, or cut short
            wheel.unlink()
    there = {named(wheel) for wheel in folder.glob("*.whl")}
    missing = [pin for pin in wanted if (pin.name, pin.version) not in there]
    if not missing:
        return
    with tempfile.TemporaryDirectory(prefix="tensaku-bundle-") as scratch:
        pinned = Path(scratch) / "pins.txt"
        pinned.write_text("".join(pin.line + "\n" for pin in missing), encoding="utf-8")
        place = ["--no-index", "--find-links", str(house.absolute())] if house is not None else []
        _pip("wheel", "--no-deps", *place, "--wheel-dir", str(folder), "-r", str(pinned))
    there = {named(wheel) for wheel in folder.glob("*.whl")}
    if left := sorted(pin.line for pin in missing if (pin.name, pin.version) not in there):
        raise StageError("bundle", f"pip brought no wheel of {', '.join(left[:5])}")


def build_own(source: Path, folder: Path) -> Path:
    """Build Tensaku's own wheel from its source, in a copy of it, so that the source stays as it is."""
    for wheel in folder.glob("tensaku-*.whl"):
        wheel.unlink()
    with tempfile.TemporaryDirectory(prefix="tensaku-bundle-") as scratch:
        copy = Path(scratch) / "tensaku"
        copy.mkdir()
        for name in ("pyproject.toml", "README.md"):
            shutil.copyfile(source / name, copy / name)
        shutil.copytree(source / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        alone = ["--no-build-isolation"] if _builds_here() else []
        _pip("wheel", "--no-deps", *alone, "--wheel-dir", str(folder), str(copy))
    return next(folder.glob("tensaku-*.whl"))


def _builds_here() -> bool:
    """Whether the tool that builds is installed here, so that it need not be fetched."""
    from importlib import metadata

    try:
        return int(metadata.version("setuptools").partition(".")[0]) >= 77  # as pyproject.toml asks
    except metadata.PackageNotFoundError:
        return False


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ""})
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        why = f"pip {words[0]} failed: {' '.join(told[:3])[:600]}"
        raise StageError("bundle", why, fix="What was fetched is kept; run again, or name a folder with --wheels")


def licences_in(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """The licences and notices that a wheel carries: a name for each, and its text."""
    with zipfile.ZipFile(wheel) as held:
        for entry in held.infolist():
            path = PurePosixPath(entry.filename)
            legal = _LICENCE.search(path.name) and path.suffix not in _CODE
            if legal and not entry.is_dir() and entry.file_size <= _LONGEST:
                inner = [part for part in path.parts if not part.endswith(".dist-info") and part != "licenses"]
                yield "_".join(inner), held.read(entry)
