"""Run pip and show how far it is in one line; its full words go to a log. Needs nothing but Python.

usage: python scripts/install.py CONSTRAINTS LOG PIP-ARGUMENTS...
"""

import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    """Install; the exit code is pip's."""
    constraints, log, arguments = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    total = sum(1 for line in constraints.read_text().splitlines() if "==" in line)
    command = [sys.executable, "-m", "pip", "install", "--progress-bar", "off", "-c", str(constraints), *arguments]
    started, shown, named, installing = time.monotonic(), 0.0, set(), False
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}  # else pip's lines come in heaps
    with log.open("w") as file:
        pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True, env=unbuffered)
        assert pip.stdout is not None
        for line in pip.stdout:
            file.write(line)
            if line.startswith(("Collecting ", "Requirement already satisfied: ")):
                named.add(line.split(": ")[-1].removeprefix("Collecting ").split()[0])
            begins = line.startswith("Installing collected packages")
            installing = installing or begins
            if begins or (not installing and time.monotonic() - shown > 5):
                shown = time.monotonic()
                what = "installing them all, about a minute" if installing else f"{min(len(named), total)} of {total}"
                print(f"  packages: {what} ({shown - started:.0f} s)", flush=True)
        code = pip.wait()
    if code:
        wrong = [line for line in log.read_text().splitlines() if not line.startswith("WARNING: Location")]
        print("\n".join(wrong[-15:]), f"pip failed; all it said is in {log}", sep="\n", file=sys.stderr)
    return code


sys.exit(main())
