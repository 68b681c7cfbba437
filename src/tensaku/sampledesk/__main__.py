"""Makes the sample desk and its reports.

`python -m tensaku.sampledesk [FOLDER]` writes the desk again, byte for byte; with `--reports FOLDER` the ten reports.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tensaku.sampledesk.reports import write_reports
from tensaku.sampledesk.write import write

if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--reports"]:
        target = Path(words[1] if len(words) > 1 else "reports")
        for report in write_reports(target):
            print(target / report.file)
    else:
        for path in write(Path(words[0]) if words else Path(__file__).parent):
            print(path)
