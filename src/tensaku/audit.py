"""The commands of the third line: the log and its anchors, lineage both ways, the evidence pack."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from tensaku.errors import UsageError
from tensaku.options import HERE, By, Folder, Json, acting, artifact_of, ledger_of

__all__ = ["add_to"]

log = typer.Typer(
    help="The log of everything done: read it, verify it, anchor it outside, erase texts lawfully.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
lineage = typer.Typer(
    help="What made a sentence's model, which models saw a document or a person, what answered when.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Reason = Annotated[str, typer.Option("--reason", help="Why; stands in the log.")]
AnchorFile = Annotated[Path | None, typer.Option("--to", help="The file; by default that of [govern] anchors.")]


def add_to(app: typer.Typer) -> None:
    """Hang these commands below the program's."""
    app.add_typer(log, name="log")
    app.add_typer(lineage, name="lineage")
    app.command("evidence")(evidence)
    app.command("bom")(bom)


@log.command("list")
def log_list(
    subject: Annotated[str, typer.Argument(help="Only entries about this, as in approval or release:NAME.")] = "",
    newest: Annotated[int, typer.Option(help="So many of the newest.", min=1)] = 50,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """List the newest entries: who, when, what, and what stood before and after."""
    with ledger_of(folder) as ledger:
        rows = [entry for entry in ledger.log() if subject in entry.subject][-newest:]
    if as_json:
        print(json.dumps([asdict(entry) for entry in rows], ensure_ascii=False))
    for entry in () if as_json else rows:
        shown = {name: value for name, value in entry.detail.items() if name not in ("digest", "changes")}
        told = json.dumps(shown, ensure_ascii=False) if shown else ""
        print(f"{entry.seq:>7}  {entry.at[:19]}  {entry.who:<12} {entry.what:<20} {entry.subject}  {told}")


@log.command("verify")
def log_verify(
    anchors: Annotated[
        Path | None, typer.Option(help="A file of anchors; by default that of [govern] anchors.")
    ] = None,
    anchor: Annotated[list[str] | None, typer.Option(help="One from paper, as NUMBER:HASH; may be repeated.")] = None,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Check the whole chain, every row against it, and both against the anchors; exit code 3 if it does not hold."""
    from tensaku.govern.anchors import check_log, missed_days, parse_anchor, read_anchors
    from tensaku.pipeline import Workspace

    if anchors is not None and not anchors.is_file():
        raise UsageError("there is no such file", where=anchors, fix="Name the file that tensaku log anchor wrote")
    workspace = Workspace.open(folder)
    noted = read_anchors(anchors or workspace.anchors)
    held = noted + [parse_anchor(text) for text in anchor or []]
    with workspace.open_ledger() as ledger:
        n = check_log(ledger, held)
        missed = [str(day) for day in missed_days(ledger, noted)]
    if as_json:
        print(json.dumps({"entries": n, "anchors": len(held), "holds": True, "missed_days": missed}))
        return
    print(f"The log holds: {n} entries, every row as it was logged, {len(held)} anchors met.")
    if missed:
        more = f" and {len(missed) - 10} more" if len(missed) > 10 else ""
        print(f"Days with entries and without an anchor: {', '.join(missed[-10:])}{more}")
    if not held:
        print("Without an anchor a cut tail or an old copy cannot be seen. Note one: tensaku log anchor")


@log.command("anchor")
def log_anchor(to: AnchorFile = None, folder: Folder = HERE, as_json: Json = False) -> None:
    """Note the newest entry's hash in a file outside the ledger now, after checking the whole log; print it as well."""
    from tensaku.govern.anchors import add_anchor
    from tensaku.pipeline import Workspace

    workspace = Workspace.open(folder)
    with workspace.open_ledger() as ledger:
        made = add_anchor(ledger, to or workspace.anchors, workspace.spec.govern.anchor_command)
    print(json.dumps(made.values) if as_json else f"{made.line}\n{made.at}  keep this where the ledger's keeper cannot")


@log.command("erase")
def log_erase(
    subjects: Annotated[
        list[str] | None, typer.Argument(metavar="[ROW...]", help="As in draft:12, answer:7, final:3.")
    ] = None,
    by: By = "",
    reason: Reason = "",
    kind: Annotated[
        str,
        typer.Option(help="With --older: draft, revision, final, decision, report, answer, question or opinion."),
    ] = "answer",
    older: Annotated[float | None, typer.Option(help="Every row older than so many days instead.")] = None,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Erase texts for good, by right or at the end of their time; the chain still holds, and says who and why."""
    from tensaku.library import forget_erased
    from tensaku.pipeline import Workspace

    wanted = list(subjects or [])
    workspace = Workspace.open(folder)
    with workspace.open_ledger() as ledger:
        if older is not None:
            if not 0 <= older <= 36_500:
                raise UsageError(f"{older:g} days are no age", fix="Write a number from 0 to 36500")
            wanted += ledger.older(kind, datetime.now(UTC) - timedelta(days=older))
        elif not wanted:
            raise UsageError("no row is named", fix="Name rows, as in draft:12, or an age with --older DAYS")
        taught = {one: ledger.saw(f"ledger:{one}")[1] for one in wanted if one.startswith("final:")}
        done = ledger.erase(wanted, by, reason)
        taken = forget_erased(workspace, ledger)
        for one in done:
            if one.startswith("report:"):  # the file itself, kept by its hash
                kept = workspace.root / "reports" / ledger.report(int(one[7:])).sha256
                kept.unlink(missing_ok=True)
    told = {one: refs for one, refs in taught.items() if refs}
    if as_json:
        print(json.dumps({"erased": done, "taught": told, "taken_out": taken}, ensure_ascii=False))
        return
    print(
        f"{len(done)} rows erased: {', '.join(done[:20])}{' ...' if len(done) > 20 else ''}"
        if done
        else "Nothing to erase"
    )
    if taken:
        print(f"{taken} comments taken out of the index of documents")
    for one, refs in told.items():
        print(
            f"{one} taught {', '.join(refs)}: sealed lessons and weights are not altered; decide whether to retire them"
        )


@lineage.command("made")
def lineage_made(
    words: Annotated[str, typer.Argument(metavar="SENTENCE", help="A sentence that a model wrote, or a release.")],
    limit: Annotated[int, typer.Option(help="Show so many pairs.", min=0)] = 20,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Say which documents and pairs made the model that wrote a sentence."""
    from tensaku.govern.traces import what_made

    with ledger_of(folder) as ledger:
        found = what_made(ledger, words, limit)
    if as_json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=False, default=str))
    for one in () if as_json else found:
        print(f"{one.release}: taught with {one.n} pairs")
        for row in one.found:
            print(f"  wrote it in {row.subject}, {row.at:%Y-%m-%d %H:%M} UTC")
        print(f"  made from {', '.join(one.ancestors)}")
        for pair in one.pairs:
            print(f"    {pair.pair}  {pair.document}  {pair.person}")
        if one.n > len(one.pairs):
            print(f"    ... and {one.n - len(one.pairs)} more (--limit)")


@lineage.command("saw")
def lineage_saw(
    what: Annotated[str, typer.Argument(help="A file, file#row, a pair's id, ledger:final:12, a writer, a manager.")],
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Say which models were taught with a document, a pair or a person's texts."""
    from tensaku.govern.traces import who_saw

    with ledger_of(folder) as ledger:
        found = who_saw(ledger, what)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
        return
    if not found.pairs:
        print(f"No model was taught with {what}")
        return
    print(f"{len(found.pairs)} pairs of {what} taught {len(found.releases)} releases: {', '.join(found.releases)}")


@lineage.command("at")
def lineage_at(
    moment: Annotated[str, typer.Argument(help="As in 2026-03-31T15:00+09:00; without a zone it is UTC.")],
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Say what answered at a moment, and who had approved it."""
    from tensaku.govern.traces import what_stood
    from tensaku.ledger import moment as read_moment

    at = read_moment(moment, "moment")
    with ledger_of(folder) as ledger:
        found = what_stood(ledger, at)
    if as_json:
        print(json.dumps(asdict(found) if found else None, ensure_ascii=False, default=str))
        return
    if found is None:
        print(f"Nothing answered at {at:%Y-%m-%d %H:%M %Z}")
        return
    row = found.rollout
    beside = f", beside it {row.challenger} on {row.share:.0%}" if row.challenger else ""
    print(f"{row.champion} answered at {at:%Y-%m-%d %H:%M %Z} (since {row.at:%Y-%m-%d %H:%M} UTC, by {row.by}){beside}")
    for one in found.approvals:
        print(f"  {one.decision} by {one.by}, {one.at:%Y-%m-%d %H:%M} UTC {one.note}")


@lineage.command("rebuild")
def lineage_rebuild(folder: Folder = HERE) -> None:
    """Make the ledger's copy of the lineage anew from the sealed artifacts."""
    from tensaku.govern.traces import rebuild
    from tensaku.pipeline import Workspace
    from tensaku.store import Store

    workspace = Workspace.open(folder)
    workspace.barriers().check_within(acting(), "the lineage")
    with workspace.open_ledger() as ledger:
        n = rebuild(ledger, Store(workspace.root))
    print(f"{n} releases")


def evidence(
    as_of: Annotated[str, typer.Option("--as-of", help="The day or moment that it speaks of; by default now.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="The zip; by default evidence-DATE.zip here.")] = None,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Pack the evidence for all eight principles into one zip with an index page, gaps listed."""
    from tensaku.govern.evidence import pack
    from tensaku.ledger import moment as read_moment
    from tensaku.pipeline import Workspace
    from tensaku.store import Store

    at = read_moment(as_of, "day") if as_of else datetime.now(UTC)
    if at > datetime.now(UTC) + timedelta(days=1):
        raise UsageError(f"{as_of} is still to come", fix="Name a day that has been")
    at = min(at, datetime.now(UTC))
    workspace = Workspace.open(folder)
    barriers = workspace.barriers()
    barriers.check_within(acting(), "the evidence pack")
    target = out or Path(f"evidence-{at:%Y-%m-%d}.zip")
    with workspace.open_ledger() as ledger:
        made = pack(ledger, Store(workspace.root), target, at, workspace.anchors, barriers)
    if as_json:
        print(json.dumps(made, ensure_ascii=False))
        return
    print(f"{target}: {made['files']} files, {len(made['gaps'])} gaps; open index.html")
    for gap in made["gaps"]:
        print(f"  {gap['principle']}. {gap['en']}")


def bom(
    ref: Annotated[str, typer.Argument(help="The release.")],
    out: Annotated[Path | None, typer.Option(help="The file; by default bom-RELEASE.json here.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="The signing key; by default sign.key in .tensaku, made once.")
    ] = None,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Write the bill of materials of a release (CycloneDX 1.6), held against the standard's schema and signed."""
    from tensaku.govern.bom import bill_of_materials, check_bill, check_signature, sign
    from tensaku.pipeline import Workspace
    from tensaku.store import Store

    workspace = Workspace.open(folder)
    store = Store(workspace.root)
    release = artifact_of(workspace, ref)
    if release.stage != "release":
        raise UsageError(f"{release.ref} is no release", where=store.root, fix="See: tensaku list release")
    bill = bill_of_materials(store, release)
    check_bill(bill)
    target = out or Path(f"bom-{release.ref}.json")
    try:
        target.write_text(json.dumps(bill, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=target, fix="Name another with --out") from None
    signature = sign(target, key or workspace.root / "sign.key")
    told = {"bom": str(target), "signature": str(signature), "public_key": check_signature(target)}
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    print(f"{target}: {len(bill['components'])} parts, fits CycloneDX 1.6\n{signature}: signed by {told['public_key']}")
