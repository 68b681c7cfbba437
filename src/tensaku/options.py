"""Options that many commands have in common; whose rights a command acts under, and what these leave to be seen."""

from __future__ import annotations

import getpass
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tensaku.ledger import Ledger
    from tensaku.pipeline import Workspace
    from tensaku.store import Artifact, Reporter, Store

__all__ = [
    "HERE",
    "By",
    "ByOr",
    "Folder",
    "Json",
    "act_as",
    "acting",
    "artifact_of",
    "ledger_of",
    "seen_ledger",
    "seen_store",
    "user_here",
]

Folder = Annotated[Path, typer.Option("--dir", "-C", help="The workspace: a folder with a tensaku.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead of a table.")]
By = Annotated[str, typer.Option("--by", help="Who does this: the short name of a person known to the ledger.")]
ByOr = Annotated[
    str, typer.Option("--by", help="Who does this: the short name of a person; by default Tensaku itself (system).")
]
HERE = Path()

_told: list[str] = []


def act_as(name: str) -> None:
    """Act under the rights of this person, in this process."""
    _told[:] = [name] if name else []


def acting(by: str = "") -> str:
    """Whose rights a command acts under: `by` (who does it), else whom --as names, else the user of this machine.

    Nobody proves here who they are: whoever may read the files of a workspace can read them past the barriers as well.
    """
    return by or next(iter(_told), "") or user_here()


def user_here() -> str:
    """The user of this machine as a person's short name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        user = f"user-{os.getuid()}"
    return re.sub(r"[^\w.@-]+", "-", user)[:64]


def ledger_of(folder: Path, by: str = "") -> Ledger:
    """The ledger of the workspace `folder` as whoever acts may see it, to be closed by the caller.

    Raises:
        UsageError: it is no workspace, or its ledger cannot be opened.
    """
    from tensaku.pipeline import Workspace

    return seen_ledger(Workspace.open(folder), by)


def seen_ledger(workspace: Workspace, by: str = "") -> Ledger:
    """The ledger of a workspace as whoever acts may see it, to be closed by the caller."""
    from tensaku.govern.barred import BarredLedger

    ledger, barriers = workspace.open_ledger(), workspace.barriers()
    return BarredLedger(ledger, acting(by), barriers) if barriers.rights.given else ledger


def seen_store(workspace: Workspace, by: str = "", reporter: Reporter | None = None) -> Store:
    """The store of a workspace as whoever acts may see it."""
    from tensaku.govern.barriers import PersonalStore
    from tensaku.store import Store

    barriers = workspace.barriers()
    if not barriers.rights.given:
        return Store(workspace.root, reporter)
    return PersonalStore(workspace.root, barriers, acting(by), reporter)


def artifact_of(workspace: Workspace, ref: str, by: str = "") -> Artifact:
    """The artifact called `ref`, if whoever acts may see it.

    Raises:
        NotFound: there is none; the nearest that they may see are named.
    """
    return seen_store(workspace, by).get(ref)
