"""`python -m tensaku.sampledesk [FOLDER]` writes the sample desk again, byte for byte."""

from __future__ import annotations

import sys
from pathlib import Path

from tensaku.sampledesk.write import write

if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for path in write(target):
        print(path)
