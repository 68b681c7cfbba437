"""How differences look on a terminal."""

from __future__ import annotations

import pytest

from tensaku.show import print_differences
from tensaku.store import Difference


def test_numbers_with_change_and_percent_hashes_short_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_differences([
        Difference("config.learning_rate", 0.001, 0.0005, -0.0005),
        Difference("config.note", None, "[bold]x[/bold]"),
        Difference("facts.warmup", 0, 12, 12),
        Difference("evaluate.bleu_tuned", 71.25, 74.5, 3.25),
        Difference("files.adapter/a.safetensors", "a" * 64, "b" * 64),
    ])  # fmt: skip
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [line for line in lines if "old" not in line] == [
        ["settings"],
        ["learning_rate", "0.001", "0.0005", "-0.0005", "(-50.0", "%)"],
        ["note", "(not", "there)", "[bold]x[/bold]"],
        ["what", "came", "of", "it"],
        ["warmup", "0", "12", "+12"],
        ["evaluate"],
        ["bleu_tuned", "71.25", "74.5", "+3.25", "(+4.6", "%)"],
        ["files"],
        ["adapter/a.safetensors", "a" * 12, "b" * 12],
    ]


def test_nothing_differs(capsys: pytest.CaptureFixture[str]) -> None:
    print_differences([])
    assert capsys.readouterr().out == "No difference.\n"
