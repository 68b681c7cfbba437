"""Options that many commands have in common, and the ledger that they speak of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tensaku.ledger import Ledger

__all__ = ["HERE", "By", "ByOr", "Folder", "Json", "ledger_of"]

Folder = Annotated[Path, typer.Option("--dir", "-C", help="The workspace: a folder with a tensaku.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead of a table.")]
By = Annotated[str, typer.Option("--by", help="Who does this: the short name of a person known to the ledger.")]
ByOr = Annotated[
    str, typer.Option("--by", help="Who does this: the short name of a person; by default Tensaku itself (system).")
]
HERE = Path()


def ledger_of(folder: Path) -> Ledger:
    """The ledger of the workspace `folder`, to be closed by the caller.

    Raises:
        UsageError: it is no workspace, or its ledger cannot be opened.
    """
    from tensaku.pipeline import Workspace

    return Workspace.open(folder).open_ledger()
