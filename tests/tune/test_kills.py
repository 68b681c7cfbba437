"""SIGKILL at random moments during `store.run(tune, ...)`: every run ends with the bytes of one that was left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KILLS = Path(__file__).with_name("stage_kills.py")


def killed(model: Path, folder: Path, settings: dict[str, Any], kills: int, limit: int = 250) -> dict[str, Any]:
    words = [sys.executable, str(KILLS), "kill", str(model), str(folder), json.dumps(settings), str(kills)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=limit)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert all(told["same"]), told
    assert told["kills"] == kills
    # A killed run does again what came after its last checkpoint, which here is written after every step.
    assert told["steps_done_twice"] <= kills
    return told


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"epochs": 8}, id="lora"),
        pytest.param({"method": "full", "epochs": 4}, id="full", marks=pytest.mark.slow),
        pytest.param({"epochs": 6, "validation": 0.2, "patience": 2}, id="patience"),
    ],
)
def test_a_few_kills_change_nothing(gemma: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    killed(gemma, tmp_path, settings, 4)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thirty_kills_change_nothing(gemma: Path, tmp_path: Path) -> None:
    told = killed(gemma, tmp_path, {"epochs": 12}, 30, 1700)
    assert len(told["moments"]) >= 3, told["moments"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_eight_kills_of_a_group_change_nothing(gemma: Path, tmp_path: Path) -> None:
    killed(gemma, tmp_path, {"epochs": 6, "processes": 2}, 8, 1700)
