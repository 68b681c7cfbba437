"""The commands of API keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tensaku.errors import UsageError
from tensaku.options import HERE, ByOr, Folder, Json, ledger_of

if TYPE_CHECKING:
    from tensaku.ledger import KeyRow

__all__ = ["app"]

app = typer.Typer(help="The keys with which programs call the API.", no_args_is_help=True, rich_markup_mode=None)


@app.command("add")
def add(
    person: Annotated[str, typer.Argument(help="Whose key it is; answers are recorded under this name.")],
    label: Annotated[str, typer.Option(help="What it is for.")],
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be given several times.")] = None,
    adapter: Annotated[list[str] | None, typer.Option(help="Only this model, by the name it is asked for.")] = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="It reads the metrics.")] = False,
    days: Annotated[float | None, typer.Option(help="It ends after so many days.")] = None,
    requests: Annotated[int | None, typer.Option(help="Most requests a minute.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Most tokens a minute, prompts and answers together.")] = None,
    at_once: Annotated[int | None, typer.Option(help="Most answers at once.")] = None,
    by: ByOr = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Make a key and print it. It is shown this once, and nobody can find it out again."""
    from tensaku.ledger import SYSTEM, Limits

    scopes = [f"task:{name}" for name in task or []] + [f"adapter:{name}" for name in adapter or []]
    scopes += ["metrics"] if metrics else []
    with ledger_of(folder) as ledger:
        row, whole = ledger.add_key(
            person,
            label,
            scopes=scopes,
            limits=Limits(requests, tokens, at_once),
            expires=_end(days),
            by=by or SYSTEM,
        )
    if as_json:
        print(json.dumps({**_values(row), "key": whole}, ensure_ascii=False))
    else:
        print(f"{whole}\nKeep it now: it is not shown again. End it with: tensaku key revoke {row.prefix}")


@app.command("list")
def list_(folder: Folder = HERE, as_json: Json = False) -> None:
    """List the keys, the ended ones too; the newest first."""
    with ledger_of(folder) as ledger:
        rows = ledger.keys()
    if as_json:
        print(json.dumps([_values(row) for row in rows], ensure_ascii=False))
    for row in () if as_json else rows:
        opens = ", ".join(row.scopes) or "everything"
        print(f"{row.prefix}  {row.person:<16}{_state(row):<20}{row.label}; opens {opens}")


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Its first part, as the list shows it, or its number.")],
    by: ByOr = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """End a key; running servers refuse it from the next request on."""
    from tensaku.ledger import SYSTEM

    with ledger_of(folder) as ledger:
        row = ledger.revoke_key(key, by=by or SYSTEM)
    print(json.dumps(_values(row), ensure_ascii=False) if as_json else f"{row.prefix} ({row.label}): {_state(row)}")


def _end(days: float | None) -> datetime | None:
    if days is None:
        return None
    if not 0 < days <= 36_500:
        raise UsageError(f"a key cannot end after {days:g} days", fix="Write a number above 0, at most 36500")
    return datetime.now(UTC) + timedelta(days=days)


def _state(row: KeyRow) -> str:
    if row.revoked is not None:
        return f"revoked {row.revoked:%Y-%m-%d}"
    if row.expires is None:
        return "without end"
    return f"{'ended' if row.expires <= datetime.now(UTC) else 'until'} {row.expires:%Y-%m-%d}"


def _values(row: KeyRow) -> dict[str, Any]:
    named = {"at": row.at, "expires": row.expires, "revoked": row.revoked}
    moments = {name: moment.isoformat() if moment else None for name, moment in named.items()}
    limits = {name: value for name in row.limits.__slots__ if (value := getattr(row.limits, name)) is not None}
    about = {"id": row.id, "prefix": row.prefix, "person": row.person, "label": row.label, "scopes": row.scopes}
    return {**about, "limits": limits, "state": _state(row), **moments}
