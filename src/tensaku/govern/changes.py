"""What changed between two releases: base, data, method or prompt, and whether the change is material.

Material, that is, taking a decision of its own before the release may answer, is:

- **base**: other weights (before any trimming of the vocabulary, which follows the data);
- **data**: other lessons or decisions, of which at least a share (`[approval] data`) is new or gone;
- **method**: another way to tune, or another setting of it, but for those that say only on what and in which order the
  sums are done (`INDIFFERENT`);
- **prompt**: other words of the instruction, or other examples.

Everything is read from what the artifacts say they were made from; nobody has to declare a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tensaku.ledger import Ledger, ReleaseRow
from tensaku.revise import form_of
from tensaku.store import Artifact, SilentReporter, Store

__all__ = ["INDIFFERENT", "PARTS", "Change", "approved_before", "changes_between", "material", "plain", "traits_of"]

PARTS: dict[str, tuple[str, str]] = {
    "base": ("基盤モデル", "base model"),
    "data": ("データ", "data"),
    "method": ("手法", "method"),
    "prompt": ("指示文", "prompt"),
}
"""What is looked at, in Japanese and in English."""

INDIFFERENT = ("seed", "core", "device", "precision", "processes", "parallel", "cluster")
"""Settings of tuning that say where, how finely or in which order it is computed, and not what is learnt."""

_DATA = ("lessons", "decisions", "documents")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a release and the one before it.

    `part` is one of `PARTS`; `before` and `after` are short texts; `share` (0 to 1) is how much of the data is new or
    gone, None where that is not known.
    """

    part: str
    name: str
    before: str
    after: str
    material: bool
    share: float | None = None

    def told(self, japanese: bool) -> str:
        """The change in a line."""
        part = PARTS[self.part][0 if japanese else 1]
        if self.part == "data":
            extent = "" if self.share is None else f", {self.share:.1%}"
            return f"{part} {self.name}: {self.before} → {self.after}{extent}"
        return f"{part} {self.name}: {self.before} → {self.after}"


def traits_of(adapter: Artifact, base: Artifact, instruction: str) -> dict[str, Any]:
    """What a release is by its making, to be held against the next one; plain values.

    Args:
        adapter: what was tuned.
        base: the model it was tuned over.
        instruction: the SHA-256 of the instruction's words; empty: there are none.
    """
    store = Store(adapter.path.parent.parent, SilentReporter())
    chain = list(_chain(store, adapter))
    data: dict[str, dict[str, Any]] = {}
    for made in chain:
        for name in _DATA:
            ref = made.inputs.get(name, "")
            if ref and not ref.startswith("file:") and name not in data:
                held = store.get(ref)
                data[name] = {"ref": ref, "n": held.facts.get("n"), "sha256": _content(held)}
    prompt = {"instruction": instruction}
    if form_of(adapter) == "prompt":
        files = adapter.manifest["files"]
        prompt["examples"] = files["examples.jsonl"]["sha256"] if "examples.jsonl" in files else ""
    return {
        "base": str(base.facts.get("untrimmed_sha256") or base.facts.get("sha256") or base.key),
        "base_name": str(base.facts.get("source") or base.ref),
        "data": data,
        "method": {made.stage: _settings(made) for made in chain},
        "prompt": prompt,
    }


def _chain(store: Store, adapter: Artifact) -> Iterator[Artifact]:
    """What was tuned, and every adapter that it was tuned on top of, the newest first."""
    yield adapter
    below = adapter.inputs.get("adapter")
    if below is not None:
        yield from _chain(store, store.get(below))


def _content(data: Artifact) -> str:
    files = data.manifest["files"]
    own = f"{data.stage}.jsonl"
    return str(files[own]["sha256"]) if own in files else data.key


def _settings(made: Artifact) -> dict[str, Any]:
    found = dict(made.config)
    if "method" in made.facts:
        found.setdefault("method", made.facts["method"])
    return found


def changes_between(ledger: Ledger, before: ReleaseRow, after: ReleaseRow, share: float = 0.1) -> list[Change]:
    """Every difference in what two releases were made from, the material ones first.

    A release from before this was recorded is compared by the artifacts it names: another base or other lessons show,
    settings and words do not.

    Args:
        ledger: which pairs taught either is looked up there.
        before: the release that was approved.
        after: the one that is to follow it.
        share: from which share of new and gone pairs on a change of data is material.
    """
    old, new = _traits(before), _traits(after)
    found = [*_base(old, new), *_data(ledger, old, new, share), *_method(old, new), *_prompt(old, new)]
    return sorted(found, key=lambda change: (not change.material, list(PARTS).index(change.part), change.name))


def _traits(row: ReleaseRow) -> Mapping[str, Any]:
    held: Mapping[str, Any] = row.summary.get("traits", {})
    if held:
        return held
    made = row.summary.get("made_from", {})
    lessons = {"lessons": {"ref": made["lessons"], "n": None, "sha256": made["lessons"]}} if "lessons" in made else {}
    return {"base": made.get("base", ""), "base_name": made.get("base", ""), "data": lessons, "old": True}


def _base(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    one, two = old.get("base", ""), new.get("base", "")
    if one and two and one != two and not _only_one_old(old, new):
        before, after = (f"{side.get('base_name', '')} ({str(side['base'])[:12]})" for side in (old, new))
        yield Change("base", "", before, after, True)


def _only_one_old(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether one side names artifacts and the other contents, which cannot be held against each other."""
    return bool(old.get("old")) != bool(new.get("old"))


def _data(ledger: Ledger, old: Mapping[str, Any], new: Mapping[str, Any], least: float) -> Iterator[Change]:
    one, two = old.get("data", {}), new.get("data", {})
    for name in sorted(one.keys() | two.keys()):
        mine, theirs = two.get(name), one.get(name)
        if mine is None or theirs is None:
            before, after = (str(side["ref"]) if side else "—" for side in (theirs, mine))
            yield Change("data", name, before, after, True)
        elif mine["ref"] != theirs["ref"] and (mine["sha256"] != theirs["sha256"]):
            share = _moved(ledger, theirs["ref"], mine["ref"])
            yield Change("data", name, _set(theirs), _set(mine), share is None or share >= least, share)


def _set(side: Mapping[str, Any]) -> str:
    n = side.get("n")
    return f"{side['ref']} (n {n})" if n is not None else str(side["ref"])


def _moved(ledger: Ledger, before: str, after: str) -> float | None:
    """The share of the pairs of either set that stand in one alone; None where the ledger does not know them, or knows
    no difference although there is one: texts may have been rewritten then."""
    one, two = ({pair.pair for pair in ledger.pairs_of(ref)[1]} for ref in (before, after))
    if not one or not two or one == two:
        return None
    return len(one ^ two) / len(one | two)


def _method(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    if "method" not in old or "method" not in new:
        return
    for stage in sorted(old["method"].keys() | new["method"].keys()):
        one, two = old["method"].get(stage), new["method"].get(stage)
        if one is None or two is None:
            before, after = ("—" if side is None else stage for side in (one, two))
            yield Change("method", stage, before, after, True)
            continue
        for name in sorted(one.keys() | two.keys()):
            if one.get(name) != two.get(name):
                before, after = (str(side.get(name, "—")) for side in (one, two))
                yield Change("method", f"{stage}.{name}", before, after, name not in INDIFFERENT)


def _prompt(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    one, two = old.get("prompt", {}), new.get("prompt", {})
    for name in sorted(one.keys() & two.keys()):
        if one[name] != two[name]:
            yield Change("prompt", name, one[name][:12] or "—", two[name][:12] or "—", True)


def approved_before(ledger: Ledger, row: ReleaseRow, at: datetime | None = None) -> ReleaseRow | None:
    """The release of the same task that was approved last before this one was; None: this is the first.

    A release that was rejected or withdrawn later was still the one before it. `at`: as it stood at a moment.
    """
    task = row.summary.get("task", "")
    decided = [one.at for one in row.approvals if one.decision == "approved"]
    until = min(decided, default=at)
    found = [
        (one.at, other)
        for other in ledger.releases()
        if other.ref != row.ref and other.summary.get("task", "") == task
        for one in other.approvals
        if one.decision == "approved" and (until is None or one.at <= until)
    ]
    return max(found, key=lambda pair: pair[0], default=(None, None))[1]


def material(changes: Iterable[Change]) -> list[Change]:
    """Those that take a decision of their own."""
    return [change for change in changes if change.material]


def plain(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """The changes as JSON values."""
    return [asdict(change) for change in changes]
