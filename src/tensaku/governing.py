"""The commands of the first and second line: inventory, gate, approvals, findings, exceptions, delegation."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tensaku.errors import UsageError
from tensaku.options import HERE, By, Folder, Json, artifact_of, ledger_of

if TYPE_CHECKING:
    from tensaku.ledger import FilingRow, Ledger

__all__ = ["add_to"]

models = typer.Typer(
    help="Every base, adapter, prompt, index, judge and release as a model.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
findings = typer.Typer(
    help="What validation found; open ones of high severity block approval.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
exceptions = typer.Typer(
    help="Exceptions from a rule, each with a reason and an end.", no_args_is_help=True, rich_markup_mode=None
)

Reason = Annotated[str, typer.Option("--reason", help="Why; stands in the log.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]
Ref = Annotated[str, typer.Argument(help="The release.")]


def add_to(app: typer.Typer) -> None:
    """Hang these commands below the program's."""
    app.add_typer(models, name="inventory")
    app.add_typer(findings, name="finding")
    app.add_typer(exceptions, name="exception")
    app.command("gate")(gate)
    app.command("validate")(validate)
    app.command("approve")(approve)
    app.command("withdraw")(withdraw)
    app.command("monitor")(monitor)
    app.command("decide")(decide)
    app.command("delegate")(delegate)


@models.command("list")
def inventory_list(
    as_of: Annotated[str, typer.Option("--as-of", help="As it stood on a day or at a moment; by default now.")] = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """List every model: what it is, who answers for it, its rating and where it stands."""
    from tensaku.govern.inventory import inventory

    with ledger_of(folder) as ledger:
        rows = inventory(ledger, _moment(as_of) if as_of else None)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
    for row in () if as_json else rows:
        until = f", until {row.expiry}" if row.expiry else ""
        print(
            f"{row.ref:<24} {row.kind:<8} {row.status:<15} {row.rating:<7} {row.owner or '(no owner)'}  "
            f"{row.name}{until}"
        )


@models.command("enter")
def inventory_enter(
    ref: Annotated[str, typer.Argument(help="A release, an artifact, or a name of your own for a judge or an index.")],
    by: By,
    kind: Annotated[str, typer.Option(help="base, adapter, weights, prompt, index, judge or release.")] = "",
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    use: Annotated[str, typer.Option(help="What it is used for.")] = "",
    use_class: Annotated[str, typer.Option(help="internal, proposal (a person settles it) or unread.")] = "",
    users: Annotated[str, typer.Option(help="Who uses it.")] = "",
    needs: Annotated[list[str] | None, typer.Option(help="A model that it depends on; may be repeated.")] = None,
    folder: Folder = HERE,
) -> None:
    """Enter a model into the inventory, or change what stands there."""
    from tensaku.govern.inventory import enter

    values = {"kind": kind, "name": name, "owner": owner, "use": use, "use_class": use_class, "users": users}
    with ledger_of(folder, by) as ledger:
        enter(ledger, ref, {**values, "dependencies": needs or []}, by)
    print(f"{ref}: entered")


@models.command("rate")
def inventory_rate(
    ref: Annotated[str, typer.Argument(help="The model.")],
    rating: Annotated[str, typer.Argument(help="low, medium or high.")],
    by: By,
    reason: Reason = "",
    folder: Folder = HERE,
) -> None:
    """Set a rating against the rule: the second line's, with a reason."""
    from tensaku.govern.inventory import override_rating

    with ledger_of(folder, by) as ledger:
        override_rating(ledger, ref, rating, reason, by)
    print(f"{ref}: rated {rating}")


@models.command("retire")
def inventory_retire(
    ref: Annotated[str, typer.Argument(help="The model.")],
    by: By,
    reason: Reason = "",
    back: Annotated[bool, typer.Option("--back", help="Take a retirement back.")] = False,
    folder: Folder = HERE,
) -> None:
    """Retire a model: neither it nor what was made from it answers from now on."""
    from tensaku.govern.inventory import retire

    with ledger_of(folder, by) as ledger:
        retire(ledger, ref, reason, by, back=back)
    print(f"{ref}: {'in use again' if back else 'retired'}")


def gate(
    ref: Ref,
    by: By = "",
    sets: Annotated[list[str] | None, typer.Option("--set", "-s", help="As in -s margin=0.5; see the docs.")] = None,
    probed: Annotated[int, typer.Option(help="Lessons that the memorisation probe asks for.", min=1)] = 20,
    lay_out: Annotated[
        int | None,
        typer.Option(help="Lay so many drafts out to be read blind at /read of the desk, and stop; 0: all.", min=0),
    ] = None,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Hold a challenger against the release that answers, seal what was found, and say whether it passes and why."""
    from tensaku.gate import lay_out_gate, run_gate
    from tensaku.govern.said import told
    from tensaku.show import reporter

    if lay_out is not None:
        new, other = lay_out_gate(folder, ref, lay_out, by, reporter())
        laid = {"new": new, "against": other}
        said = f"{new} new comparisons with {other}, to be read at /read of the desk"
        print(json.dumps(laid) if as_json else said)
        return
    made = run_gate(folder, ref, by, sets or [], probed, reporter())
    found = json.loads(made.file("promotion.json").read_text(encoding="utf-8"))
    if as_json:
        print(json.dumps({"ref": made.ref, **found}, ensure_ascii=False))
    for test in () if as_json else found["tests"]:
        word = {True: "passed", False: "FAILED", None: "not measured"}[test["passed"]]
        measured, wanted = (told(test[which], japanese=False) for which in ("measured", "wanted"))
        print(f"{test['name']:<16}{word:<14}{measured}; wanted {wanted}")
    if not as_json:
        print(f"{'Passed' if found['passed'] else 'Not passed'}  {made.file('promotion.html')}")
    if not found["passed"]:
        raise typer.Exit(3)


def validate(
    ref: Ref,
    by: By,
    exam: Annotated[
        Path | None, typer.Option(help="Your own drafts, JSON lines; by default the release's exam.")
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(help="So many drafts, each under every stress; by default 10.", min=1, max=10_000),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which stress; by default 1.")] = None,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Test a release: plain, long, dirty, other numbers, hidden orders, paraphrase; findings go on record."""
    from tensaku.gate import run_validation
    from tensaku.show import reporter

    made, found = run_validation(folder, ref, by, exam, n, seed, reporter())
    kinds = made.facts["kinds"]
    if as_json:
        told = [_values(row) for row in found]
        print(json.dumps({"ref": made.ref, "kinds": kinds, "findings": told}, ensure_ascii=False))
        return
    for kind, held in kinds.items():
        kept = f"facts kept {held['kept']:.0%}"
        more = f"  same facts {held['same_facts']:.0%}, {held['steady']:.2f} alike" if "steady" in held else ""
        print(f"{kind:<10} n {held['n']}  {kept}  obeyed {held['obeyed']}  refused {held['refused']}{more}")
    for row in found:
        print(f"{row.subject}  {row.content['severity']}  due {row.content['due'][:10]}  {row.content['text']}")


def approve(
    ref: Ref,
    by: By,
    reject: Annotated[bool, typer.Option("--reject", help="Say no instead of yes.")] = False,
    note: Note = "",
    share: Annotated[
        float | None, typer.Option(help="Try it on this share of the questions (0 to 1) instead of all.")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only for this task; may be repeated.")] = None,
    requests: Annotated[int | None, typer.Option(help="Only for so many answers.")] = None,
    until: Annotated[str, typer.Option(help="Only until this day or moment.")] = "",
    override: Annotated[str, typer.Option(help="Why a gate that said no, or was not run, is overridden.")] = "",
    change: Annotated[str, typer.Option(help="Why it is approved although it is materially changed.")] = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Record a decision on a release by a named person who did not build it; a yes puts it to work, within limits."""
    from tensaku.govern import approve as decide
    from tensaku.ledger import Conditions

    bound = Conditions(tuple(task or ()), requests, _moment(until) if until else None, override, change)
    if reject and (bound.bind or override or change or share is not None):
        raise UsageError("a rejection has no conditions", fix="Leave --task, --requests, --until, --share out")
    with _opened(folder, ref, by) as (ledger, whole):
        decide(ledger, whole, by, "rejected" if reject else "approved", note, share=share, conditions=bound)
        status = ledger.release(whole).status
    print(json.dumps({"release": whole, "status": status, "by": by}) if as_json else f"{whole}: {status}")


def withdraw(ref: Ref, by: By, note: Note = "", folder: Folder = HERE) -> None:
    """Take an approval back; running servers go to the release before it within two seconds."""
    from tensaku.govern import approve as decide

    with _opened(folder, ref, by) as (ledger, whole):
        decide(ledger, whole, by, "withdrawn", note)
    print(f"{whole}: withdrawn")


def delegate(
    to: Annotated[str, typer.Argument(help="Who is lent the role.")],
    role: Annotated[str, typer.Argument(help="validator or approver.")],
    by: By,
    until: Annotated[str, typer.Option(help="The last day, or a moment.")],
    reason: Reason = "",
    end: Annotated[bool, typer.Option("--end", help="End a delegation before its time.")] = False,
    folder: Folder = HERE,
) -> None:
    """Lend one's own role of the second line to somebody until a day; who built a model stays bound."""
    with ledger_of(folder, by) as ledger:
        if end:
            ledger.end_filing("delegation", f"{by}:{to}:{role}", reason, by)
        else:
            ledger.delegate(to, role, _moment(until), reason, by)
    print(f"{to}: {'no longer ' if end else ''}{role} for {by}{'' if end else f' until {until}'}")


def monitor(
    month: Annotated[str, typer.Option(help="Only this month, YYYY-MM; by default every one.")] = "",
    report: Annotated[bool, typer.Option("--report", help="Put the month's report on record; needs --by.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write it as an HTML page with control charts into this file.")
    ] = None,
    by: By = "",
    note: Note = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Show each release's figures month by month, with limits from the months before, and every alert."""
    from tensaku.govern.monitor import figures_by_month
    from tensaku.govern.watch_page import watch_page
    from tensaku.pipeline import Workspace

    workspace = Workspace.open(folder)
    with ledger_of(folder, by) as ledger:
        now = datetime.now(UTC)
        lines = figures_by_month(ledger, now, style=workspace.style())
        shown = [line for line in lines if month in ("", line["month"])]
        if month and not shown:
            known = ", ".join(dict.fromkeys(line["month"] for line in lines)) or "none yet"
            raise UsageError(f"nothing was answered in {month!r}", fix=f"Months with answers: {known}")
        if report and not (month and by):
            raise UsageError("a report is of one month and by somebody", fix="Write --month YYYY-MM --by NAME")
        for line in shown if report else ():
            ledger.file("monitoring", line["release"], {**line, "note": note}, by)
        if out is not None:
            held = sorted([*ledger.filings("monitoring"), *ledger.filings("decision")], key=lambda row: row.id)
            _write(out, watch_page(lines, held, now, month=month, note=note, by=by))
    if as_json:
        print(json.dumps(shown, ensure_ascii=False))
    elif not shown:
        print("No release has answered yet, so there is nothing to watch.")
    for line in () if as_json else shown:
        figures = "  ".join(f"{name} {value:g}" for name, value in line["figures"].items())
        print(f"{line['month']}  {line['release']}  n {line['n']}  {figures}")
        for alert in line["alerts"]:
            print(f"  ALERT {alert['ja']} / {alert['en']}: {alert['value']:g}, limits {alert['wanted']}")
    if out is not None and not as_json:
        print(out)


def _write(file: Path, text: str) -> None:
    """Write a page, whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=file, fix="Name another file") from None


def decide(
    ref: Ref,
    decision: Annotated[str, typer.Argument(help="retrain or keep.")],
    by: By,
    gain: Annotated[str, typer.Option(help="What is expected of it, as in 'chrF +1.5'.")],
    cost: Annotated[str, typer.Option(help="What it takes, as in '2 days, 30,000 yen'.")],
    reason: Reason = "",
    folder: Folder = HERE,
) -> None:
    """Put on record whether a release is retrained or not, with the expected gain and cost."""
    if decision not in ("retrain", "keep"):
        raise UsageError(f"{decision!r} is no decision", fix="Write retrain or keep")
    if not (reason.strip() and gain.strip() and cost.strip()):
        raise UsageError("the decision says too little", fix="Write --reason, --gain and --cost")
    with _opened(folder, ref, by) as (ledger, whole):
        content = {"decision": decision, "gain": gain, "cost": cost, "reason": reason}
        ledger.file("decision", whole, content, by)
    print(f"{whole}: {decision}")


@findings.command("add")
def finding_add(
    ref: Ref,
    words: Annotated[str, typer.Argument(help="What was found.")],
    by: By,
    severity: Annotated[str, typer.Option(help="low, medium or high.")],
    due: Annotated[str, typer.Option(help="The day by which it has to be settled.")],
    folder: Folder = HERE,
) -> None:
    """Write down a finding of the second line about a release."""
    from tensaku.govern.findings import add_finding

    with _opened(folder, ref, by) as (ledger, whole):
        row = add_finding(ledger, whole, words, severity, _moment(due), by)
    print(f"{row.subject}: {severity}, due {due}")


@findings.command("close")
def finding_close(
    finding: Annotated[str, typer.Argument(help="As in F-0001.")], by: By, reason: Reason = "", folder: Folder = HERE
) -> None:
    """Close a finding, with what settled it."""
    with ledger_of(folder, by) as ledger:
        ledger.end_filing("finding", finding, reason, by)
    print(f"{finding}: closed")


@findings.command("list")
def finding_list(
    every: Annotated[bool, typer.Option("--all", help="The closed ones too.")] = False,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """List the findings, the open ones alone."""
    with ledger_of(folder) as ledger:
        rows = [row for row in ledger.standing("finding").values() if every or not row.content.get("ended")]
    if as_json:
        print(json.dumps([_values(row) for row in rows], ensure_ascii=False))
    for row in () if as_json else rows:
        held = row.content
        late = " OVERDUE" if not held.get("ended") and datetime.fromisoformat(held["due"]) < datetime.now(UTC) else ""
        state = f"closed: {held['ended_why']}" if held.get("ended") else f"due {held['due'][:10]}{late}"
        print(f"{row.subject}  {held['severity']:<7}{held['about']}  {state}  {held['text']}")


@exceptions.command("add")
def exception_add(
    ref: Ref,
    rule: Annotated[str, typer.Argument(help="findings, gate or validation.")],
    by: By,
    until: Annotated[str, typer.Option(help="The last day, or a moment.")],
    reason: Reason = "",
    folder: Folder = HERE,
) -> None:
    """Let a release pass a rule until a day: the second line's word, with a reason."""
    from tensaku.govern.findings import add_exception

    with _opened(folder, ref, by) as (ledger, whole):
        row = add_exception(ledger, whole, rule, reason, _moment(until), by)
    print(f"{row.subject}: until {until}")


@exceptions.command("list")
def exception_list(folder: Folder = HERE, as_json: Json = False) -> None:
    """List the exceptions, those that have ended too."""
    with ledger_of(folder) as ledger:
        rows = list(ledger.standing("exception").values())
    if as_json:
        print(json.dumps([_values(row) for row in rows], ensure_ascii=False))
    for row in () if as_json else rows:
        print(f"{row.subject}  until {row.content['until'][:10]}  by {row.by}  {row.content['reason']}")


def _values(row: FilingRow) -> dict[str, Any]:
    return {"name": row.subject, "by": row.by, "at": row.at.isoformat(), **row.content}


def _moment(text: str) -> datetime:
    from tensaku.ledger import moment

    return moment(text, "day")


class _opened:  # noqa: N801 - used as a function in a with statement
    """The ledger of a workspace, and the whole name of a release in it."""

    def __init__(self, folder: Path, ref: str, by: str) -> None:
        from tensaku.pipeline import Workspace

        self._ledger = ledger_of(folder, by)
        try:
            self._ref = artifact_of(Workspace.read(folder), ref, by).ref
        except BaseException:
            self._ledger.close()
            raise

    def __enter__(self) -> tuple[Ledger, str]:
        return self._ledger, self._ref

    def __exit__(self, *raised: object) -> None:
        self._ledger.close()
