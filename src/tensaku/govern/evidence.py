"""The evidence pack: one zip for a day, its index page mapping the eight principles to what is in it, gaps listed."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tensaku.errors import GateError, NotFound, TensakuError, UsageError
from tensaku.govern.anchors import check_log, missed_days, read_anchors
from tensaku.govern.barriers import Barriers
from tensaku.govern.bom import bill_of_materials, flow_down
from tensaku.govern.document import document_files
from tensaku.govern.evidence_page import index_page
from tensaku.govern.gaps import Held, find_gaps
from tensaku.govern.inventory import inventory
from tensaku.govern.monitor import figures_by_month
from tensaku.govern.people import people_at
from tensaku.ledger import SYSTEM, FilingRow, Ledger, ReleaseRow, line_of
from tensaku.store import Store

__all__ = ["pack"]

_OF_RELEASE = ("card.md", "gates.json", "lineage.json", "report.html", "scores.json", "instruction.md")


def pack(
    ledger: Ledger, store: Store, target: Path, at: datetime, anchor_file: Path, barriers: Barriers | None = None
) -> dict[str, Any]:
    """Write the zip; what it holds in numbers, and the gaps.

    Everything is as it stood at the moment `at`; the log is given whole up to then. Nothing is left out because it
    looks bad: a log that does not hold is packed, and said to be broken.

    Raises:
        UsageError: the zip cannot be written.
    """
    made = _Pack(ledger, store, at)
    made.rows()
    made.log(anchor_file)
    for release in made.releases:
        made.release(release)
    made.gates()
    made.barriers(barriers)
    gaps = find_gaps(made.held())
    made.json("gaps.json", [gap._asdict() for gap in gaps])
    files = {name: len(content) for name, content in made.files.items()}
    made.files["index.html"] = index_page(at, files, gaps, made.opening()).encode()
    made.sums()
    digest = _write(target, made.files, at)
    content = {"as_of": at.isoformat(), "sha256": digest, "gaps": len(gaps)}
    ledger.file("evidence", f"{at:%Y-%m-%d}", content, SYSTEM)
    return {"zip": str(target), "sha256": digest, "files": len(made.files), "gaps": [gap._asdict() for gap in gaps]}


class _Pack:
    """The files of one pack, as they are gathered."""

    def __init__(self, ledger: Ledger, store: Store, at: datetime) -> None:
        self.ledger, self.store, self.at = ledger, store, at
        self.files: dict[str, bytes] = {}
        self.releases = [row for row in ledger.releases() if row.at <= at]
        self.models = inventory(ledger, at)
        self.months = figures_by_month(ledger, at)
        self.people = people_at(ledger, at)
        self.missing: list[str] = []
        self.broken = ""
        self.anchors = 0
        self.unanchored: list[str] = []

    def json(self, name: str, value: Any) -> None:
        """Put a value in as JSON."""
        self.files[name] = (json.dumps(value, ensure_ascii=False, indent=1, default=_plain) + "\n").encode()

    def rows(self) -> None:
        """Put in the ledger's rows."""
        ledger, at = self.ledger, self.at
        people = [
            {"name": p.name, "roles": list(p.roles), "lines": sorted({line_of(r) for r in p.roles} - {0})}
            | {"active": p.active, "since": p.at.isoformat()}
            | {"only": list(p.scopes)}
            for p in self.people
        ]
        self.json("people.json", people)
        self.json("inventory.json", [asdict(model) for model in self.models])
        approvals = [one for row in self.releases for one in row.approvals if one.at <= at]
        self.json("approvals.json", [asdict(one) for one in sorted(approvals, key=lambda one: one.at)])
        self.json("rollouts.json", [asdict(row) for row in reversed(ledger.rollouts()) if row.at <= at])
        self.json("deployments.json", [asdict(row) for row in reversed(ledger.deployments()) if row.at <= at])
        for kind, name in (
            ("rating", "ratings"),
            ("retirement", "retirements"),
            ("finding", "findings"),
            ("exception", "exceptions"),
            ("delegation", "delegations"),
            ("validation", "validations"),
            ("decision", "decisions"),
            ("gate", "gates"),
        ):
            self.json(f"{name}.json", [_filing(row) for row in ledger.filings(kind, at=at)])
        releases = [
            {"ref": r.ref, "tuned_by": r.tuned_by, "at": r.at, "figures": dict(r.summary)} for r in self.releases
        ]
        self.json("releases.json", releases)
        self.json("monitoring.json", self.months)

    def log(self, anchor_file: Path) -> None:
        """Put in the log, whether it holds, and the anchors."""
        entries = [entry for entry in self.ledger.log() if entry.at <= self.at.astimezone(UTC).isoformat()]
        self.files["log.jsonl"] = "".join(
            json.dumps(asdict(entry), ensure_ascii=False, sort_keys=True) + "\n" for entry in entries
        ).encode()
        anchors = []
        try:
            anchors = read_anchors(anchor_file)
            check_log(self.ledger, anchors)
        except TensakuError as error:
            self.broken = error.measured if isinstance(error, GateError) else str(error)
        self.anchors = len(anchors)
        self.unanchored = [str(day) for day in missed_days(self.ledger, anchors) if day <= self.at.astimezone().date()]
        self.files["anchors.jsonl"] = "".join(json.dumps(one.values) + "\n" for one in anchors).encode()
        told = {"holds": not self.broken, "why_not": self.broken, "entries": len(entries), "anchors": len(anchors)}
        told["days_without_anchor"] = self.unanchored
        self.json("log-check.json", told | {"head": entries[-1].hash if entries else ""})

    def release(self, row: ReleaseRow) -> None:
        """Put in the sealed files of a release, its bill of materials and its licences' duties."""
        folder = f"releases/{row.ref}"
        try:
            sealed = self.store.get(row.ref)
            bill = bill_of_materials(self.store, sealed)
        except NotFound:
            self.missing.append(row.ref)
            return
        faults = self.store.verify(sealed.ref)
        self.json(f"{folder}/seal.json", {"ref": sealed.ref, "key": sealed.key, "faults": faults})
        for name in _OF_RELEASE:
            if name in sealed.files:
                self.files[f"{folder}/{name}"] = sealed.file(name).read_bytes()
        document = document_files(self.ledger, self.store, sealed.ref, self.at, months=self.months)
        self.files |= {f"{folder}/document/{name}": content for name, content in document.items()}
        self.json(f"{folder}/bom.json", bill)
        base = self.store.get(sealed.inputs["base"])
        self.json(f"{folder}/duties.json", flow_down({base.ref: str(base.facts.get("licence", ""))}))
        n, pairs = self.ledger.pairs_of(row.ref)
        self.json(f"{folder}/pairs.json", {"n": n, "pairs": [asdict(pair) for pair in pairs]})

    def gates(self) -> None:
        """Put in what the promotion gate and the second line's validations sealed."""
        kinds = ("gate", "validation")
        for filing in (row for kind in kinds for row in self.ledger.filings(kind, at=self.at)):
            ref = str(filing.content.get("artifact", ""))
            try:
                sealed = self.store.get(ref) if ref else None
            except NotFound:
                self.missing.append(ref)
                continue
            for name in sealed.files if sealed else ():
                self.files[f"{filing.kind}s/{ref}/{name}"] = sealed.file(name).read_bytes() if sealed else b""
        edges = {row.ref: self.ledger.ancestors(row.ref) for row in self.releases}
        self.json("lineage.json", edges)

    def barriers(self, barriers: Barriers | None) -> None:
        """Put in who stands inside of which release, and what binds it, by the rules as they are at this moment."""
        found: list[dict[str, Any]] = []
        for row in self.releases if barriers is not None else ():
            try:
                people, because = barriers.people(row.ref) if barriers is not None else (None, {})
            except NotFound:
                continue  # `release` has noted it as missing
            found.append({"release": row.ref, "people": people, "because": because})
        given = barriers is not None and barriers.rights.given
        rules = barriers.rights.sha256() if barriers is not None and given else ""
        self.json(
            "barriers.json", {"rules_sha256": rules, "up": bool(given and barriers and barriers.up), "models": found}
        )

    def held(self) -> Held:
        """What gaps are looked for in."""
        stood = self.ledger.stood_at(self.at)
        return Held(
            at=self.at,
            files=frozenset(self.files),
            people=self.people,
            models=self.models,
            releases=self.releases,
            filings=self.ledger.filings(at=self.at),
            champion=stood.rollout.champion if stood else "",
            missing=tuple(self.missing),
            broken=self.broken,
            anchors=self.anchors,
            unanchored=tuple(self.unanchored),
        )

    def opening(self) -> dict[str, str]:
        """What the index page begins with."""
        stood = self.ledger.stood_at(self.at)
        by = stood.approvals[-1] if stood else None
        return {
            "champion": stood.rollout.champion if stood else "",
            "approved_by": by.by if by else "",
            "approved_at": f"{by.at:%Y-%m-%d}" if by else "",
            "models": str(len(self.models)),
            "entries": str(self.files["log.jsonl"].count(b"\n")),
            "holds": "" if self.broken else "yes",
            "anchors": str(self.anchors),
        }

    def sums(self) -> None:
        """Put in the SHA-256 of everything, as `sha256sum -c` reads it."""
        lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(self.files.items())]
        self.files["SHA256SUMS"] = "".join(lines).encode()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _filing(row: FilingRow) -> dict[str, Any]:
    return {"number": row.id, "subject": row.subject, "by": row.by, "at": row.at.isoformat(), **row.content}


def _write(target: Path, files: dict[str, bytes], at: datetime) -> str:
    """The zip, whole or not at all, the same bytes for the same content; its SHA-256."""
    part = target.with_name(f".{target.name}.part")
    moment = at.astimezone(UTC).timetuple()[:6]
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as out:
            for name in sorted(files):
                out.writestr(zipfile.ZipInfo(name, moment), files[name], zipfile.ZIP_DEFLATED)
        with part.open("rb") as written:
            os.fsync(written.fileno())
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        fix = "Name another file with --out"
        raise UsageError(f"cannot be written: {error.strerror}", where=target, fix=fix) from None
    return digest
