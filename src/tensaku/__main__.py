"""`python -m tensaku`: the command, also as torchrun starts it, several times at once."""

from __future__ import annotations

import os

from tensaku.cli import main


def _main() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:  # the usual way, without loading torch
        main()
        return
    from tensaku.tune import torchrun

    if torchrun.helps():
        torchrun.help_out()
        return
    try:
        main()
    finally:
        torchrun.release()


if __name__ == "__main__":
    _main()
