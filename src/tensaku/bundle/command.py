"""The command `bundle`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tensaku.options import Json

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make; it must not be there yet.")],
    extra: Annotated[
        list[str] | None, typer.Option(help="An extra to pack; may be repeated. By default what the demo needs.")
    ] = None,
    wheels: Annotated[
        Path | None, typer.Option(help="Take the packages from this folder of wheels, without a network.")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="The checkout of Tensaku; by default the one that runs.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="Sign the bill of materials with this key; made if it is not there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Pack code, pinned packages, models, dictionaries, licences, bill of materials and checksums into one folder.

    Its install.sh installs all of it, and runs the demo, on a machine without a network.
    """
    from tensaku.bundle.pack import bundle
    from tensaku.bundle.pins import DEMO, pins
    from tensaku.show import reporter

    made = bundle(out, pins(extra or DEMO), reporter=reporter(), source=source, wheels=wheels, key=key)
    if as_json:
        print(json.dumps(asdict(made)))
        return
    print(f"{made.folder}: {made.packages} packages, {made.bytes / 1e6:,.0f} MB")
    print(f"Note this, to hold it against what install.sh prints:\n{made.sums_sha256}")
