"""The model document as files: HTML and DOCX in Japanese and English, and beside them what their figures link to."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tensaku.errors import NotFound, UsageError
from tensaku.govern.document.html import anchor, artifact_page, as_html, ledger_page
from tensaku.govern.document.known import Standing, sealed_of, standing_of
from tensaku.govern.document.paper import paper
from tensaku.govern.document.parts import LEDGER, Value
from tensaku.govern.document.word import as_word
from tensaku.govern.document.words import Language
from tensaku.ledger import FilingRow, Ledger
from tensaku.store import Artifact, Store

__all__ = ["FORMS", "document_files", "write_document"]

FORMS = ("html", "docx")
LANGUAGES: tuple[Language, ...] = ("ja", "en")
_MARK = "document.json"
_COPIED = (".html", ".json", ".md", ".toml", ".csv")
"""Files of an artifact that are handed out with the document; texts of pairs and weights are not."""
_LARGEST = 3_000_000


@dataclass
class _Links:
    """Where figures link to, and what of it the document uses."""

    held: Mapping[str, Artifact]
    used: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, value: Value) -> str:
        """The place of a figure's source, seen from the document."""
        if value.ref != LEDGER and value.ref not in self.held:
            return ""
        facts = self.used.setdefault(value.ref, [])
        kind, colon, name = value.fact.partition(":")
        if value.ref != LEDGER and kind == "file" and colon:
            return f"evidence/{value.ref}/{quote(name)}" if name in copied_of(self.held[value.ref]) else ""
        if value.fact not in facts:
            facts.append(value.fact)
        place = f"#{quote(anchor(value.fact))}" if value.fact else ""
        return f"evidence/{value.ref}.html{place}"


def copied_of(held: Artifact) -> list[str]:
    """The files of an artifact that go with the document."""
    return [
        name
        for name, file in sorted(held.manifest["files"].items())
        if name.endswith(_COPIED) and file["bytes"] <= _LARGEST and "/" not in name
    ]


def document_files(
    ledger: Ledger,
    store: Store,
    ref: str,
    at: datetime,
    *,
    share: float = 0.1,
    forms: tuple[str, ...] = FORMS,
    months: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, bytes]:
    """Every file of a release's document, by its path.

    Args:
        ledger: what is on record.
        store: where the sealed artifacts are.
        ref: the release.
        at: the moment that it speaks of.
        share: from which share of new and gone lessons on a change of data is material.
        forms: some of `FORMS`.
        months: what `figures_by_month` gives, where the caller has it already.

    Raises:
        NotFound: there is no such release, or something that it was made from is gone.
        UsageError: it is no release, or was not there yet.
        MissingExtra: a form needs a package that is not installed.
    """
    release = store.get(ref)
    sealed, standing = sealed_of(store, release), standing_of(ledger, store, release.ref, at, share, months)
    lineage = store.lineage(release.ref)
    held = {one.ref: one for one in [*lineage, *_beside(store, standing)]}
    links = _Links(held)
    made: dict[str, bytes] = {}
    for language in LANGUAGES:
        page = paper(sealed, standing, list(held.values()), language)
        if "html" in forms:
            made[f"model-document.{language}.html"] = as_html(page, links).encode()
        if "docx" in forms:
            made[f"model-document.{language}.docx"] = as_word(page, links, at)
    for name, one in held.items():
        copied = copied_of(one)
        made[f"evidence/{name}.html"] = artifact_page(one, links.used.get(name, ()), copied, held).encode()
        for file in copied:
            made[f"evidence/{name}/{file}"] = one.file(file).read_bytes()
    entries = {fact: _entry(fact, standing, ledger) for fact in links.used.get(LEDGER, ())}
    made[f"evidence/{LEDGER}.html"] = ledger_page(entries).encode()
    head = f"{standing.head.seq}:{standing.head.hash}" if standing.head is not None else ""
    told = {"release": release.ref, "key": release.key, "as_of": at.isoformat(), "log": head}
    made[_MARK] = (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()
    return made


def _beside(store: Store, standing: Standing) -> Iterator[Artifact]:
    """What the gate and the second line sealed, and the version before."""
    for held in (standing.promotion, standing.probe, standing.before_evaluation):
        if held is not None:
            yield held
    for _, made in standing.validations:
        if made is not None:
            yield made
    for ref in (
        standing.before.ref if standing.before else "",
        standing.gate.content["champion"] if standing.gate else "",
    ):
        if ref:
            try:
                yield store.get(ref)
            except NotFound:  # the workspace was cleared of it; its name alone is shown then
                continue


def _entry(fact: str, standing: Standing, ledger: Ledger) -> list[tuple[str, str]]:
    """What the ledger has under a name that a figure links to."""
    kind, _, name = fact.partition(":")
    if kind == "filing":
        row = next(row for row in ledger.filings(at=standing.at) if row.id == int(name))
        return _filing(row)
    if kind == "model":
        held = ledger.standing("model", at=standing.at).get(name)
        rating = ledger.standing("rating", at=standing.at).get(name)
        return [*(_filing(held) if held else ()), *(_filing(rating) if rating else ())]
    if kind == "release":
        lines = [("tuned_by", standing.row.tuned_by), ("at", standing.row.at.isoformat())]
        for one in standing.row.approvals:
            bound = {name: value for name, value in asdict(one.conditions).items() if value}
            lines.append((f"{one.decision} {one.at.isoformat()}", f"{one.by}: {one.note} {_plain(bound)}"))
        return lines
    if kind == "month":
        month, _, figure = name.partition(".")
        line = next(line for line in standing.months if line["month"] == month)
        limits = line["limits"].get(figure, "")
        return [("n", str(line["n"])), (figure, str(line["figures"][figure])), ("limits", str(limits))]
    if kind == "findings":
        return [(row.subject, f"{row.content['severity']}: {row.content['text']}") for row in standing.findings]
    entry = standing.head
    return [] if entry is None else [("seq", str(entry.seq)), ("hash", entry.hash), ("what", entry.what)]


def _filing(row: FilingRow) -> list[tuple[str, str]]:
    values = [(name, _plain(value)) for name, value in row.content.items()]
    return [("entry", f"filing:{row.id} {row.kind}"), ("by", row.by), ("at", row.at.isoformat()), *values]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def write_document(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files into a folder, whole or not at all; an older document in it is replaced.

    Raises:
        UsageError: the folder holds other things, or cannot be written.
    """
    if folder.exists() and not (folder / _MARK).is_file() and any(folder.iterdir() if folder.is_dir() else [folder]):
        fix = "Name a new folder with --out"
        raise UsageError("this holds something else than a model document", where=folder, fix=fix)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as aside:
            made, old = Path(aside) / "new", Path(aside) / "old"
            for name, content in files.items():
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                (made / name).write_bytes(content)
            if folder.exists():
                folder.rename(old)
            made.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        fix = "Name another folder with --out"
        raise UsageError(f"cannot be written: {error.strerror}", where=folder, fix=fix) from None
