"""The commands that bring outside managers' reports in, and those of the inbox where doubtful ones wait."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tensaku.errors import DataError, UsageError
from tensaku.options import HERE, By, Folder, Json

if TYPE_CHECKING:
    from tensaku.intake import Arrival, Road
    from tensaku.ledger import Ledger, ReportRow

__all__ = ["app", "bring_in"]

app = typer.Typer(
    help="The reports that wait for a person, and what managers call their sections.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Report = Annotated[int, typer.Argument(help="The report's number, as `tensaku inbox list` shows it.")]
_PAUSE = 1.0  # seconds between two looks at a watched folder


def bring_in(
    paths: Sequence[Path],
    folder: Path,
    given: Mapping[str, str],
    *,
    watch: Path | None = None,
    by: str = "",
    as_json: bool = False,
) -> None:
    """Bring in files, folders and zips, then go on with what comes into `watch`, until Ctrl-C.

    Raises:
        UsageError: nothing is named, a path is not there, or there is no file in it.
    """
    from tensaku.ledger import SYSTEM
    from tensaku.text.months import parse_month

    if not paths and watch is None:
        raise UsageError("nothing to bring in is named", fix="Name files, folders or zips, or --watch FOLDER")
    if watch is not None and not watch.is_dir():
        raise UsageError("there is no such folder", where=watch, fix="Make it, or name another with --watch")
    told = {name: value.strip() for name, value in given.items() if value.strip()}
    if "as_of" in told:
        month = parse_month(told["as_of"])
        if month is None:
            raise UsageError(f"--month {told['as_of']!r} names no month", fix="Write it as 2026-10")
        told["as_of"] = month
    with _road(folder) as road:
        who = by or SYSTEM
        if by:
            road.ledger.person(by)
        if paths:
            arrivals = list(_told(road.bring(paths, given=told, by=who), as_json))
            if not arrivals:
                raise UsageError("there is no file in it", where=paths[0], fix="Name the folder that holds the reports")
            _finish(arrivals, as_json)
        if watch is not None:
            _watch(road, watch, told, who, as_json)


def _told(arrivals: Iterator[Arrival], as_json: bool) -> Iterator[Arrival]:
    """The arrivals, each named on standard error as it comes."""
    for arrival in arrivals:
        if not as_json:
            print(f"{arrival.name}: {arrival.what}", file=sys.stderr, flush=True)
        yield arrival


def _finish(arrivals: Sequence[Arrival], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_values(arrival) for arrival in arrivals], ensure_ascii=False), flush=True)
        return
    from tensaku.show import print_arrivals

    print_arrivals([_values(arrival) for arrival in arrivals])
    waiting = sum(arrival.what == "inbox" for arrival in arrivals)
    if waiting:
        print(f"{waiting} wait in the inbox. Look at them with: tensaku inbox list")


def _values(arrival: Arrival) -> dict[str, Any]:
    return {"name": arrival.name, "what": arrival.what, **_row_values(arrival.report)}


def _row_values(report: ReportRow) -> dict[str, Any]:
    from tensaku.intake import NONE, told

    filed = report.state == "filed"
    sections: dict[str, int] = {}
    for part in report.parts if filed else ():
        if part["section"] not in ("", NONE):
            sections[part["section"]] = sections.get(part["section"], 0) + len(part["text"])
    return {
        "id": report.id,
        "file": report.name,
        "state": report.state,
        "manager": report.manager,
        "fund": report.fund,
        "as_of": report.as_of,
        "sections": sections,
        "reasons": [told(reason) for reason in report.reasons] if not filed else [],
        "note": report.note,
    }


def _watch(road: Road, folder: Path, given: Mapping[str, str], who: str, as_json: bool) -> None:
    """Look again and again; a file is taken once it has not changed between two looks, so that none is read half."""
    print(f"Watching  {folder}\nCtrl-C ends it.", file=sys.stderr, flush=True)
    before: dict[Path, tuple[int, int]] = {}
    done: dict[Path, tuple[int, int]] = {}
    while True:
        now: dict[Path, tuple[int, int]] = {}
        for path in sorted(folder.rglob("*")):
            try:
                if path.is_file() and not path.name.startswith((".", "~$")):
                    stat = path.stat()
                    now[path] = (stat.st_size, stat.st_mtime_ns)
            except OSError:
                continue  # gone meanwhile
        ready = [path for path, state in now.items() if before.get(path) == state and done.get(path) != state]
        for path in ready:
            try:
                arrivals = list(road.bring([path], given=given, by=who))
            except DataError as error:
                print(f"tensaku: {error}", file=sys.stderr, flush=True)
            else:
                new = [arrival for arrival in arrivals if arrival.what != "known"]
                if new:
                    _finish(new, as_json)
            done[path] = now[path]
        before = now
        time.sleep(_PAUSE)


@contextmanager
def _seen(folder: Path, by: str = "") -> Iterator[tuple[Road, Ledger]]:
    """The road, and the ledger as whoever acts may see it."""
    from tensaku.options import seen_ledger
    from tensaku.pipeline import Workspace

    workspace = Workspace.open(folder)
    with workspace.road() as road, seen_ledger(workspace, by) as ledger:
        yield road, ledger


@contextmanager
def _road(folder: Path) -> Iterator[Road]:
    from tensaku.pipeline import Workspace

    with Workspace.open(folder).road() as road:
        yield road


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that were filed or set aside too.")] = False,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """List the reports that wait for a person, with the reasons; the newest first."""
    from tensaku.show import print_arrivals

    with _seen(folder) as (_, ledger):
        rows = ledger.reports(None if every else "inbox")
    values = [{"what": row.state, "name": row.name, **_row_values(row)} for row in rows]
    if as_json:
        print(json.dumps(values, ensure_ascii=False))
    elif values:
        print_arrivals(values)
    else:
        print("No report waits.")


@app.command()
def show(report: Report, folder: Folder = HERE, as_json: Json = False) -> None:
    """Show what was found in a report: why it waits, and every part with its number, heading and section."""
    with _seen(folder) as (_, ledger):
        row = ledger.report(report)
    values = {**_row_values(row), "parts": [dict(part) for part in row.parts]}
    if as_json:
        print(json.dumps(values, ensure_ascii=False))
        return
    print(f"{row.id}  {row.name}: {row.state}\n{row.manager or '?'} / {row.fund or '?'} / {row.as_of or '?'}")
    for reason in values["reasons"]:
        print(f"- {reason}")
    for number, part in enumerate(row.parts):
        fund = f" @ {part['fund'] or '?'}" if "fund" in part else ""
        print(f"\n[{number}] {part['heading'] or '(no heading)'} = {part['section'] or '?'}{fund}\n{part['text']}")


@app.command("file")
def file_(
    report: Report,
    by: By,
    manager: Annotated[str, typer.Option(help="Whose it is; by default what was found.")] = "",
    fund: Annotated[str, typer.Option(help="What it speaks of; by default what was found.")] = "",
    month: Annotated[str, typer.Option(help="The month, 2026-10; by default what was found.")] = "",
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part", help="A part's section, as in 2=market (2=- for none), and fund: 2=market@FUND, 2=market@*."
        ),
    ] = None,
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """File a waiting report as drafts; what its manager calls the sections is learnt."""
    with _seen(folder, by) as (road, ledger):
        row = ledger.report(report)
        known = (*road.known_sections(), "-")
        said = [text.partition("@") for text in part or []]
        sections = dict(_assigned(text, len(row.parts), known) for text, _, _ in said)
        funds = {_assigned(text, len(row.parts), known)[0]: name.strip() for text, _, name in said if name.strip()}
        filed = road.file(
            report,
            manager=manager or row.manager,
            fund=fund or row.fund,
            as_of=month or row.as_of,
            sections=sections,
            by=by,
            funds=funds,
        )
    print(json.dumps(_row_values(filed), ensure_ascii=False) if as_json else f"{filed.name}: {filed.state}")


def _assigned(text: str, parts: int, known: Sequence[str]) -> tuple[str, str]:
    number, _, section = text.partition("=")
    if not number.strip().isdecimal() or int(number) >= parts:
        raise UsageError(f"{text!r} names no part", fix=f"Write 0=market; its parts are 0 to {parts - 1}")
    if section.strip() not in known:
        raise UsageError(f"{text!r} names no section", fix=f"There is: {', '.join(known)}")
    return str(int(number)), section.strip()


@app.command()
def aside(
    report: Report,
    by: By,
    note: Annotated[str, typer.Option("--note", help="Why.")],
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Set a waiting report aside, with the reason; nothing of it is lost."""
    with _seen(folder, by) as (_, ledger):
        row = ledger.set_report_aside(report, note, by=by)
    print(json.dumps(_row_values(row), ensure_ascii=False) if as_json else f"{row.name}: {row.state}")


@app.command()
def headings(
    manager: Annotated[str, typer.Option(help="Only this manager's.")] = "",
    change: Annotated[
        str,
        typer.Option("--set", help="Correct one from the next report on, as in 市況=market; needs --manager, --by."),
    ] = "",
    by: By = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Show what each manager calls the sections, as it was learnt; or correct one."""
    with _road(folder) as road:
        if change:
            heading, _, section = change.rpartition("=")
            if not (manager and by and heading.strip()):
                raise UsageError(
                    "a correction says whose, which and who", fix="--manager M --set HEADING=SECTION --by P"
                )
            _assigned(f"0={section}", 1, (*road.known_sections(), "-"))
            road.correct(manager, heading.strip(), section.strip(), by=by)
        rows = road.ledger.headings(manager or None)
    if as_json:
        names = ("manager", "heading", "section", "by")
        print(json.dumps([{name: getattr(row, name) for name in names} for row in rows], ensure_ascii=False))
    for row in () if as_json else rows:
        print(f"{row.manager}  {row.heading} = {row.section}  ({row.by}, {row.at:%Y-%m-%d})")
