"""The commands of people: who they are, what they may do, how they sign in."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tensaku.errors import UsageError
from tensaku.options import HERE, ByOr, Folder, Json, ledger_of

if TYPE_CHECKING:
    from tensaku.ledger import Ledger, PersonRow

__all__ = ["app"]

app = typer.Typer(help="The people who write, tune and approve.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="The short name.")]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        help="writer, reviewer, developer, validator, approver, auditor or admin; may be given several times."
    ),
]
Funds = Annotated[list[str] | None, typer.Option(help="Only this fund; may be given several times.")]
Tasks = Annotated[list[str] | None, typer.Option(help="Only this task; may be given several times.")]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A short name; it signs everything and is never changed.")],
    shown: Annotated[str, typer.Option("--display", help="The name as it is shown.")] = "",
    role: Roles = None,
    fund: Funds = None,
    task: Tasks = None,
    password: Annotated[bool, typer.Option("--password", help="Print a password that works once.")] = False,
    by: ByOr = "",
    folder: Folder = HERE,
) -> None:
    """Add a person to the ledger."""
    with ledger_of(folder) as ledger:
        row = ledger.add_person(name, shown or name, role or ["writer"], scopes=_scopes(fund, task), by=_by(by))
        once = _once(ledger, name, by) if password else ""
    only = f"; only {', '.join(row.scopes)}" if row.scopes else ""
    print(f"{row.name} ({row.display}): {', '.join(row.roles)}{only}")
    _tell(once)


@app.command("set")
def set_(
    name: Name,
    role: Roles = None,
    fund: Funds = None,
    task: Tasks = None,
    all_: Annotated[bool, typer.Option("--all", help="Every task and fund.")] = False,
    by: ByOr = "",
    folder: Folder = HERE,
) -> None:
    """Change what a person may do: these roles and no others, these tasks and funds and no others."""
    if not (role or fund or task or all_) or (all_ and (fund or task)):
        raise UsageError("nothing to change, or too much", fix="Name --role, or --fund and --task, or --all")
    with ledger_of(folder) as ledger:
        row = ledger.person(name)
        if role:
            row = ledger.set_roles(name, role, by=_by(by))
        if fund or task or all_:
            row = ledger.set_scopes(name, _scopes(fund, task), by=_by(by))
    print(_line(row))


@app.command("password")
def password(
    name: Name,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read it from standard input; it then stays.")] = False,
    by: ByOr = "",
    folder: Folder = HERE,
) -> None:
    """Give a person a new password, printed here and good for one sign-in. It also lifts a lock."""
    with ledger_of(folder) as ledger:
        if stdin:
            ledger.set_password(name, sys.stdin.readline().rstrip("\n"), by=_by(by))
            print(f"{name}: the password was changed; every sign-in of theirs has ended")
            return
        once = _once(ledger, name, by)
    _tell(once)


@app.command("disable")
def disable(name: Name, by: ByOr = "", folder: Folder = HERE) -> None:
    """Let a person in no more; what they signed stays, and they are signed out at once."""
    with ledger_of(folder) as ledger:
        print(_line(ledger.set_active(name, False, by=_by(by))))


@app.command("enable")
def enable(name: Name, by: ByOr = "", folder: Folder = HERE) -> None:
    """Let a person in again."""
    with ledger_of(folder) as ledger:
        print(_line(ledger.set_active(name, True, by=_by(by))))


@app.command("signout")
def signout(name: Name, by: ByOr = "", folder: Folder = HERE) -> None:
    """End every sign-in of a person, on whatever machine."""
    with ledger_of(folder) as ledger:
        ledger.end_sessions(name, by=_by(by))
    print(f"{name}: signed out everywhere")


@app.command("list")
def list_(folder: Folder = HERE, as_json: Json = False) -> None:
    """List the people in the ledger."""
    with ledger_of(folder) as ledger:
        people = ledger.people()
    if as_json:
        print(json.dumps([_values(person) for person in people], ensure_ascii=False))
    for person in () if as_json else people:
        print(_line(person))


def _by(by: str) -> str:
    from tensaku.ledger import SYSTEM

    return by or SYSTEM


def _scopes(funds: list[str] | None, tasks: list[str] | None) -> list[str]:
    return [f"fund:{name}" for name in funds or []] + [f"task:{name}" for name in tasks or []]


def _once(ledger: Ledger, name: str, by: str) -> str:
    from tensaku.ledger.accounts import one_time_password

    made = one_time_password()
    ledger.set_password(name, made, once=True, by=_by(by))
    return made


def _tell(once: str) -> None:
    if once:
        print(f"Password  {once}\nIt works once and is not shown again: hand it over; a new one is chosen at sign-in.")


def _line(row: PersonRow) -> str:
    parts = [f"{row.name:<16}{row.display}  {', '.join(row.roles)}"]
    parts += [f"only {', '.join(row.scopes)}"] if row.scopes else []
    parts += {"none": [], "once": ["password to be changed"], "set": ["password"]}[row.credential]
    parts += [] if row.active else ["disabled"]
    return "; ".join(parts)


def _values(row: PersonRow) -> dict[str, Any]:
    about = {"name": row.name, "display": row.display, "roles": row.roles, "active": row.active}
    return {**about, "scopes": row.scopes, "password": row.credential}
