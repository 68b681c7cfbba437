"""`python -m tensaku.curate.personal new-key FILE`, and `restore KEY` to turn the pseudonyms of standard input back."""

from __future__ import annotations

import sys
from pathlib import Path

from tensaku.curate.personal.masking import new_key, read_key, restored
from tensaku.errors import TensakuError

_USAGE = "python -m tensaku.curate.personal new-key FILE | restore KEY < TEXT"


def main(words: list[str]) -> int:
    """Do what `words` say; the exit code."""
    try:
        if len(words) == 2 and words[0] == "new-key":
            new_key(Path(words[1]).expanduser())
            print(f"{words[1]}: keep it apart from the pool, and keep it: nothing else turns pseudonyms back")
        elif len(words) == 2 and words[0] == "restore":
            key = read_key(Path(words[1]).expanduser())
            for line in sys.stdin:
                sys.stdout.write(restored(line, key))
        else:
            print(_USAGE, file=sys.stderr)
            return 2
    except TensakuError as error:
        print(f"tensaku: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
