"""The commands. One try, one except: a mistake of yours is one message, a fault of ours shows its traceback."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tensaku import __version__, accounts, audit, card, governing, inbox, keys, library
from tensaku.bundle import command as bundle
from tensaku.errors import TensakuError, UsageError
from tensaku.options import HERE, By, Folder, Json, act_as, acting, seen_ledger, seen_store

__all__ = ["app", "main"]

app = typer.Typer(
    name="tensaku",
    help="Tailor an open language model to one writing job of the house, on the house's own machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(accounts.app, name="user")
app.add_typer(keys.app, name="key")
app.add_typer(inbox.app, name="inbox")
app.add_typer(card.app, name="card")

Set = Annotated[list[str] | None, typer.Option("--set", "-s", help="Change a setting, as in -s tune.epochs=1.")]
Trial = Annotated[bool, typer.Option("--trial", help="Serve a release that nobody has approved; answers are marked.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]
_INTERRUPTED = 130


def main() -> None:
    """Run one command and leave with its exit code: 0 done, 1 the work failed, 2 yours to fix, 3 a gate said no."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        _run_command()
    except TensakuError as error:
        print(f"tensaku: {error}", file=sys.stderr)
        if error.__cause__ is not None and os.environ.get("TENSAKU_TRACEBACK"):
            import traceback

            traceback.print_exception(error.__cause__)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("\ntensaku: stopped. What was finished is kept; run the same command to go on.", file=sys.stderr)
        sys.exit(_INTERRUPTED)


def _run_command() -> None:
    try:
        app(standalone_mode=True)
    except SystemExit as left:
        if left.code == _INTERRUPTED:  # typer has turned Ctrl-C into this code
            raise KeyboardInterrupt from None
        raise


def _version(asked: bool) -> None:
    if asked:
        print(f"tensaku {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    person: Annotated[
        str, typer.Option("--as", help="Whose rights hold; by default those of this machine's user.")
    ] = "",
) -> None:
    """Take the options that belong to no command."""
    act_as(person)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to put it.")] = Path("tensaku-demo"),
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop before API and desk are started.")] = False,
    port: Annotated[int, typer.Option(help="Port of API and desk on 127.0.0.1.")] = 8080,
    as_json: Json = False,
) -> None:
    """Walk the whole road with the sample desk: raw files, tuned model, report, release, a page in your browser."""
    started = time.monotonic()
    if no_serve:
        _demonstrate(folder, started, as_json)
        return
    from tensaku.deploy import serve_release
    from tensaku.serve import listen

    with listen("127.0.0.1", port) as listener:  # a port in use is known now, not after ten minutes of work
        workspace, store, release = _demonstrate(folder, started, as_json)
        serve_release(workspace, store, release.ref, trial=True, listener=listener)


def _demonstrate(folder: Path, started: float, as_json: bool) -> tuple[Any, Any, Any]:
    """Walk the road and print what came of it; the workspace, its store and the release."""
    from tensaku import demo as demonstration
    from tensaku.show import print_scores, reporter

    workspace, store, built = demonstration.walk(folder, reporter())
    _note_errors(workspace.root)
    figures = demonstration.summary(built, started)
    report = built["evaluate"].file("report.html")
    if as_json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        print_scores(built["evaluate"], figures)
        people = ", ".join(f"{name} ({shown})" for name, shown, _ in demonstration.PEOPLE)
        print(f"Report    {report}")
        print(f"Release   {built['release'].ref}, a candidate until somebody approves it")
        print(f"People    invented for this demonstration: {people}")
        print(f"Approve   tensaku approve {built['release'].ref} --by takahashi -C {folder}")
    return workspace, store, built["release"]


@app.command()
def new(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")]) -> None:
    """Make a workspace with a task file, an instruction and a table of names to start from."""
    from tensaku.demo import lay_out

    lay_out(folder)
    print(f"{folder / 'tensaku.toml'} and what it names are ready. Replace the sample data with your own, then:")
    print(f"  tensaku check -C {folder}\n  tensaku run -C {folder}")


@app.command()
def check(folder: Folder = HERE, sets: Set = None) -> None:
    """Read the task file and everything it names; tell all faults at once."""
    from tensaku.pipeline import Workspace

    workspace = Workspace.open(folder, sets or [])
    print(f"{folder / 'tensaku.toml'}: in order ({workspace.spec.task.name}, base {workspace.spec.base.model})")


@app.command()
def run(
    stage: Annotated[str, typer.Argument(help="Stop after this stage.")] = "release",
    folder: Folder = HERE,
    sets: Set = None,
    ladder: Annotated[
        bool, typer.Option("--ladder", help="Tune by every method of [ladder], on every base of it; compare them.")
    ] = False,
    processes: Annotated[int | None, typer.Option(help="Tune with so many processes; sets tune.processes.")] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Walk the road from the sources up to a stage; what is done already is not done again."""
    from tensaku.comparing import compare, reported
    from tensaku.deploy import check_person, register_release
    from tensaku.pipeline import Workspace, build
    from tensaku.show import reporter
    from tensaku.store import Store

    if ladder and stage != "tune":
        raise UsageError(f"the ladder is no part of the way to {stage!r}", fix="Write: tensaku run tune --ladder")
    alone = [] if processes is None else [f"tune.processes={processes}"]
    workspace = Workspace.open(folder, [*(sets or []), *alone])
    library.check_sources(workspace, acting(by))
    if ladder:
        _climb(workspace, as_json)
        return
    if by:
        check_person(workspace, by)
    store = Store(workspace.root, reporter())
    built = build(store, workspace, stage)
    if "release" in built.artifacts:
        register_release(workspace, built["release"], by)
    if "tune" in built.artifacts:
        _note_errors(workspace.root)
    made, board = built.artifacts, None
    if stage == "evaluate" and workspace.spec.leaderboard.candidates:
        board = compare(store, workspace)
        made = {**made, "leaderboard": board}
    elif stage == "evaluate" and (heard := reported(store, workspace)) is not None:
        made = {**made, "evaluate": heard}
    barriers = workspace.barriers()
    made = {name: one for name, one in made.items() if barriers.opens(acting(by), one.ref)}
    if as_json:
        print(json.dumps({name: {"ref": a.ref, "facts": a.facts} for name, a in made.items()}))
    else:
        _show_run(made)
    if board is not None and (board.facts["failed"] or board.facts["judge_failed"]):
        raise typer.Exit(1)


def _note_errors(root: Path) -> None:
    """Keep what the plan says of the runs sealed below `root`, beside what they took."""
    from tensaku.plan import note_runs

    try:
        note_runs(root)
    except UsageError as error:  # the work is done and sealed; what is wrong concerns the plan alone
        print(f"tensaku: the plan's error of this run was not noted: {error}", file=sys.stderr)


def _show_run(made: Any) -> None:
    """What a walk of the road made, for people."""
    from tensaku.show import print_artifacts, print_board, print_scores

    if "evaluate" in made:
        print_scores(made["evaluate"], {})
        print(f"Report    {made['evaluate'].file('report.html')}")
    if "leaderboard" in made:
        print_board(made["leaderboard"])
        print(f"Board     {made['leaderboard'].file('leaderboard.html')}")
    print_artifacts(list(made.values()))


def _climb(workspace: Any, as_json: bool) -> None:
    """Walk the ladder and show it; exit code 1 if a rung failed."""
    from tensaku.pipeline import climb
    from tensaku.show import print_ladder, reporter
    from tensaku.store import Store

    made = climb(Store(workspace.root, reporter()), workspace)
    _note_errors(workspace.root)
    if as_json:
        found = json.loads(made.file("ladder.json").read_text(encoding="utf-8"))
        print(json.dumps({"ref": made.ref, **found}, ensure_ascii=False))
    else:
        print_ladder(made)
        print(f"Page      {made.file('ladder.html')}")
    if made.facts["failed"]:
        raise typer.Exit(1)


@app.command()
def rank(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Votes (.csv, .jsonl); without it those of this workspace.")
    ] = None,
    left: Annotated[str, typer.Option(help="The column with the candidate on the left.")] = "left",
    right: Annotated[str, typer.Option(help="The column with the candidate on the right.")] = "right",
    winner: Annotated[str, typer.Option(help="The column with the winner: left, right, tie; 1, 2, 3; or a name.")] = "",
    loser: Annotated[str, typer.Option(help="The column with the loser, where a vote is winner and loser.")] = "",
    item: Annotated[str, typer.Option(help="The column with what both answered.")] = "item",
    reference: Annotated[str, typer.Option(help="The candidate whose strength is 0; else the mean is 0.")] = "",
    order: Annotated[bool, typer.Option("--order", help="Measure what standing on the left is worth.")] = False,
    resamples: Annotated[int, typer.Option(min=0, max=100_000, help="Resamples of items for the intervals.")] = 1000,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Rank candidates by votes (Bradley-Terry), with ties and 95 % intervals."""
    from tensaku.rank import rank_file, rank_workspace

    if file is None:
        rank_workspace(folder, resamples=resamples, as_json=as_json)
        return
    from tensaku.evaluate.votes import Columns

    columns = Columns(left, right, winner or "winner", loser, item)
    rank_file(file, columns, reference=reference, order=order, resamples=resamples, as_json=as_json)


@app.command()
def read(
    by: By,
    candidates: Annotated[
        str, typer.Option(help="Which, as in api,lora; draft and reference may be named. By default every one.")
    ] = "",
    n: Annotated[int, typer.Option("--n", min=0, help="Of how many drafts, evenly over the exam; 0: all.")] = 20,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Lay outputs out for people to read blind, two by two, at /read of the desk."""
    from tensaku.comparing import lay_out_reading
    from tensaku.pipeline import Workspace

    workspace = Workspace.open(folder)
    named = [name.strip() for name in candidates.split(",") if name.strip()]
    added, chosen = lay_out_reading(seen_store(workspace, by), workspace, named, n, by)
    if as_json:
        print(json.dumps({"added": added, "candidates": chosen}, ensure_ascii=False))
    else:
        print(f"{added} comparisons laid out ({', '.join(chosen)}). Read them at /read of the desk: tensaku serve")


@app.command("list")
def list_(
    stage: Annotated[str | None, typer.Argument(help="Only what this stage made.")] = None,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """List everything sealed in this workspace, oldest first."""
    from tensaku.pipeline import BESIDE, STAGES
    from tensaku.show import print_artifacts

    if stage is not None and stage not in (*STAGES, *BESIDE):
        from tensaku.errors import NotFound

        raise NotFound("stage", stage, (*STAGES, *BESIDE))
    found = _store(folder).list(stage)
    if as_json:
        print(json.dumps([{"ref": a.ref, "stage": a.stage, "facts": a.facts} for a in found], ensure_ascii=False))
    else:
        print_artifacts(found)


@app.command()
def show(
    ref: Annotated[str, typer.Argument(help="An artifact, or the first letters of its name.")],
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Show one artifact: settings, facts, files, what it was made from; and check that not a byte was altered."""
    from tensaku.show import print_artifact

    store = _store(folder)
    artifact = store.get(ref)
    faults, lineage = store.verify(artifact.ref), [a.ref for a in store.lineage(artifact.ref)]
    if as_json:
        print(json.dumps({**artifact.manifest, "lineage": lineage, "faults": faults}, ensure_ascii=False))
    else:
        print_artifact(artifact, lineage, faults)
    if faults:
        raise UsageError(f"{len(faults)} faults since it was sealed", where=artifact.path, fix="Restore it")


@app.command("export")
def export_(
    ref: Annotated[str, typer.Argument(help="A tune artifact, or the first letters of its name; or: finals.")],
    to: Annotated[
        str, typer.Option("--to", help="tensorboard or mlflow; of finals: docx, xlsx, csv, json or warehouse.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write into; made if it is not there.")
    ] = None,
    month: Annotated[str, typer.Option("--month", help="Of finals: this month alone, as 2026-10.")] = "",
    fund: Annotated[str, typer.Option("--fund", help="Of finals: this fund alone.")] = "",
    history: Annotated[bool, typer.Option("--history", help="Of finals: with every version and decision.")] = False,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Export a training's curves to TensorBoard or MLflow, or the published comments.

    Comments go out as Word, Excel, CSV or JSON, or with their labels to the database that [ledger] warehouse names.
    """
    if ref == "finals" and to == "warehouse":
        _copy(folder, as_json)
        return
    if out is None:
        raise UsageError("no folder is named", fix="Name it with --out")
    if ref == "finals":
        from tensaku.deploy import export_finals
        from tensaku.pipeline import Workspace

        file, n = export_finals(Workspace.open(folder), to, out, month=month, fund=fund, history=history)
        print(json.dumps({"finals": n, "out": str(file)}, ensure_ascii=False) if as_json else f"{file} ({n} finals)")
        return
    from tensaku.tune.export import HOW_TO_SHOW, export

    artifact = _store(folder).get(ref)
    made = export(artifact, to, out)
    if as_json:
        print(json.dumps({"ref": artifact.ref, "to": to, "out": str(made)}, ensure_ascii=False))
    else:
        print(f"{made}\nShow it with: {HOW_TO_SHOW[to].format(made)}")


def _copy(folder: Path, as_json: bool) -> None:
    from tensaku.deploy import copy_finals
    from tensaku.pipeline import Workspace

    copied = copy_finals(Workspace.open(folder))
    if as_json:
        print(json.dumps({"new": copied.new, "changed": copied.changed, "same": copied.same}))
        return
    for table in copied.new:
        print(f"{table}: {copied.new[table]} new, {copied.changed[table]} changed, {copied.same[table]} as they were")


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="An artifact.")],
    new: Annotated[str, typer.Argument(help="Another.")],
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Show what differs between two artifacts: settings first, then facts, then files."""
    from tensaku.show import print_differences

    found = _store(folder).diff(old, new)
    if as_json:
        print(json.dumps([d._asdict() for d in found], ensure_ascii=False))
    else:
        print_differences(found)


@app.command()
def revise(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Tables of drafts (.csv, .xlsx, .jsonl), or one text file; - is stdin."),
    ],
    fund: Annotated[str, typer.Option(help="The fund it speaks of; in a table the column's name.")] = "fund",
    section: Annotated[str, typer.Option(help="market, performance or outlook; in a table the column's.")] = "section",
    as_of: Annotated[str, typer.Option(help="The month it speaks of, YYYY-MM; in a table the column's.")] = "as_of",
    draft: Annotated[str, typer.Option(help="In a table: the name of the column with the drafts.")] = "draft",
    out: Annotated[Path | None, typer.Option(help="Folder for the tables; by default beside each.")] = None,
    ref: Annotated[
        str | None, typer.Option("--release", help="Which release; by default the one that answers.")
    ] = None,
    trial: Trial = False,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Revise one draft, or every draft of a month's tables: the same tables with the comments in further columns."""
    from tensaku.batch import Columns, is_table, revise_tables, revise_text

    tables = [file for file in files if is_table(file)]
    if not tables and len(files) == 1:
        missing = [name for name, given in (("fund", fund), ("section", section), ("as_of", as_of)) if given == name]
        if missing:
            words = " and ".join("--" + name.replace("_", "-") for name in missing)
            raise UsageError(f"a single draft needs {words}", where=files[0], fix="Say what the draft speaks of")
        revise_text(files[0], folder, (fund, section, as_of), ref=ref, trial=trial, as_json=as_json)
        return
    if len(tables) < len(files):
        other = next(file for file in files if file not in tables)
        raise UsageError("this is no table", where=other, fix="Several files at once are tables: .csv, .xlsx, .jsonl")
    columns = Columns(draft=draft, fund=fund, section=section, as_of=as_of)
    revise_tables(tables, folder, columns, out=out, ref=ref, trial=trial, as_json=as_json)


@app.command()
def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE|FOLDER|ZIP]...", help="PDF, Word, Excel, HTML or text.")
    ] = None,
    watch: Annotated[Path | None, typer.Option("--watch", help="Go on with what comes into this folder.")] = None,
    manager: Annotated[str, typer.Option(help="Whose reports they are; by default what stands in them.")] = "",
    fund: Annotated[str, typer.Option(help="What they speak of; by default what stands in them.")] = "",
    month: Annotated[str, typer.Option(help="Their month, as in 2026-10; by default what stands in them.")] = "",
    by: By = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Bring in managers' reports: each becomes drafts by section, or waits in the inbox with the reason."""
    given = {"manager": manager, "fund": fund, "as_of": month}
    inbox.bring_in(paths or [], folder, given, watch=watch, by=by, as_json=as_json)


@app.command()
def deploy(
    ref: Annotated[str, typer.Argument(help="An approved release.")],
    by: By,
    share: Annotated[float | None, typer.Option(help="Try it on this share of the questions (0 to 1).")] = None,
    note: Note = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Let an approved release answer, or try it beside the one that does; running servers follow within two seconds."""
    from tensaku.pipeline import Workspace
    from tensaku.show import print_rollouts

    workspace = Workspace.open(folder)
    release = _store(folder, by).get(ref)
    with seen_ledger(workspace, by) as ledger:
        print_rollouts([ledger.deploy(release.ref, by, share=share, note=note)], as_json)


@app.command()
def rollback(by: By, note: Note = "", folder: Folder = HERE, as_json: Json = False) -> None:
    """Go back: a challenger ends, or the release before this one answers again; running servers follow at once."""
    from tensaku.pipeline import Workspace
    from tensaku.show import print_rollouts

    with seen_ledger(Workspace.open(folder), by) as ledger:
        print_rollouts([ledger.roll_back(by, note=note)], as_json)


@app.command()
def rollouts(folder: Folder = HERE, as_json: Json = False) -> None:
    """List which release answered from when on, and on whose word; the newest first."""
    from tensaku.pipeline import Workspace
    from tensaku.show import print_rollouts

    with seen_ledger(Workspace.open(folder)) as ledger:
        print_rollouts(ledger.rollouts(), as_json)


@app.command()
def serve(
    ref: Annotated[str | None, typer.Argument(help="This release to the end; by default what the ledger says.")] = None,
    trial: Trial = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default serve.host.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; by default serve.port.")] = None,
    profiles: Annotated[
        bool, typer.Option("--list-profiles", help="Show what each profile would set on this machine, and end.")
    ] = False,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Start API and desk with the release that the ledger says answers, and follow it there."""
    from tensaku.deploy import release_of, serve_release, tell_profiles
    from tensaku.pipeline import Workspace
    from tensaku.serve import Tls, listen
    from tensaku.store import Store

    workspace = Workspace.open(folder)
    if profiles:
        tell_profiles(workspace, as_json)
        return
    cfg = workspace.spec.serve
    store = Store(workspace.root)
    release_of(store, ref)
    tls = Tls.of(workspace.file(cfg.certificate), workspace.file(cfg.key))
    with listen(host or cfg.host, cfg.port if port is None else port) as listener:
        serve_release(workspace, store, ref, trial=trial, listener=listener, tls=tls)


@app.command("plan")
def plan_(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="A built-in name, a config.json, a model folder or file.")
    ] = "",
    method: Annotated[
        str, typer.Argument(metavar="[METHOD]", help="load, lora, qlora, full, dpo, pretrain or serve.")
    ] = "load",
    hardware: Annotated[
        str, typer.Option("--gpu", help="A GPU or processor of --list hardware, or this-machine.")
    ] = "h100-sxm",
    sets: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="A setting of --list settings, as in -s train.batch=4.")
    ] = None,
    show_: Annotated[
        str, typer.Option("--list", help="Instead of a plan: models, hardware, settings, tensors or errors.")
    ] = "",
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Fit the machine's constants to the runs sealed in the workspace.")
    ] = False,
    page: Annotated[Path | None, typer.Option("--page", help="Write the errors so far to this HTML file.")] = None,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Say what a job takes: memory, GPUs, time, servers, money; with reasons, bands and sources."""
    from tensaku.plan import command

    asked = command.Asked(model, method, hardware, tuple(sets or ()), show_, calibrate, page, folder / ".tensaku")
    values, lines = command.answer(asked)
    print(json.dumps(values, ensure_ascii=False) if as_json else "\n".join(lines))


def _store(folder: Path, by: str = "") -> Any:
    from tensaku.pipeline import TASK_FILE, Workspace

    if not (folder / TASK_FILE).is_file():
        fix = "Name one with -C DIR"
        raise UsageError("this folder is no workspace: it has no tensaku.toml", where=folder, fix=fix)
    return seen_store(Workspace.read(folder), by)


# Help lists commands in this order: what a newcomer needs first comes first.
app.command("index")(library.index)
app.command("search")(library.search)
governing.add_to(app)
audit.add_to(app)
app.command("barriers")(library.barriers)
app.command("bundle")(bundle.command)
