"""The commands of keys and rollouts on a workspace: what they print, and one message for each mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.testing import tiny_desk

Cli = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_desk(tmp_path / "desk")


def test_a_key_is_made_listed_and_revoked(cli: Cli, folder: Path) -> None:
    assert cli("user", "add", "mori", "-C", folder).code == 0
    made = cli("key", "add", "mori", "--label", "batch", "--task", "tiny", "--days", "30", "-C", folder)
    found = re.match(r"tsk-([a-z2-7]{10})-[\w-]{43}\n", made.out)
    assert found
    listed = cli("key", "list", "-C", folder)
    assert found[0].strip() not in listed.out
    assert re.match(rf"{found[1]}  mori +until \S+ +batch; opens task:tiny\n", listed.out)
    revoked = cli("key", "revoke", found[1], "--json", "-C", folder)
    assert revoked.json["state"].startswith("revoked ")
    told = cli("key", "add", "mori", "--label", "x", "--requests", "9", "--tokens", "99", "--json", "-C", folder).json
    assert told["limits"] == {"requests_per_minute": 9, "tokens_per_minute": 99}
    assert [one["prefix"] for one in cli("key", "list", "--json", "-C", folder).json] == [told["prefix"], found[1]]


def test_mistakes(cli: Cli, folder: Path) -> None:
    cli("user", "add", "mori", "-C", folder)
    for words, said in (
        (("key", "add", "nobody", "--label", "x"), "no person 'nobody'"),
        (("key", "add", "mori", "--label", "x", "--days", "0"), "cannot end after 0 days"),
        (("key", "add", "mori", "--label", "x", "--requests", "0"), "requests_per_minute is 0"),
        (("key", "revoke", "abc"), "no key 'abc'"),
        (("rollback", "--by", "mori"), "may not choose which release answers"),
        (("deploy", "release-1", "--by", "mori"), "no artifact 'release-1'"),
    ):
        result = cli(*words, "-C", folder)
        assert (result.code, result.out) == (2, "")
        assert said in result.err
        assert "Traceback" not in result.err
    assert "No release has answered yet" in cli("rollouts", "-C", folder).out
    assert cli("rollouts", "--json", "-C", folder).json == []
