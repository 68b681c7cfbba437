"""Who might do what at a moment in the past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tensaku.errors import UsageError
from tensaku.govern.people import people_at
from tensaku.ledger import Ledger


def test_roles_bounds_and_standing_are_those_of_the_moment(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        moments = [datetime.now(UTC)]
        acts: list[Callable[[], object]] = [
            lambda: ledger.add_person("sato", "佐藤", ("engineer",), scopes=["fund:国内"]),
            lambda: ledger.set_roles("sato", ("approver",)),
            lambda: ledger.set_scopes("sato", ["task:monthly"]),
            lambda: ledger.set_active("sato", False),
            lambda: ledger.add_person("mori", "森", ("auditor",)),
        ]
        for act in acts:
            act()
            moments.append(datetime.now(UTC))
        found = [[(p.name, p.roles, p.scopes, p.active) for p in people_at(ledger, moment)] for moment in moments]
    assert found == [
        [],
        [("sato", ("developer",), ("fund:国内",), True)],
        [("sato", ("approver",), ("fund:国内",), True)],
        [("sato", ("approver",), ("task:monthly",), True)],
        [("sato", ("approver",), ("task:monthly",), False)],
        [("mori", ("auditor",), (), True), ("sato", ("approver",), ("task:monthly",), False)],
    ]


def test_only_an_approval_can_be_taken_back(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_person("sato", "佐藤", ("engineer",))
        ledger.add_person("kuroda", "黒田", ("approver",))
        ledger.add_release("release-1", "sato", {})
        with pytest.raises(UsageError, match=r"is candidate, so there is no approval to take back.*--reject"):
            ledger.approve("release-1", "kuroda", "withdrawn", "誤り")
        assert ledger.release("release-1").approvals == ()
        ledger.approve("release-1", "kuroda", "approved")
        ledger.approve("release-1", "kuroda", "withdrawn", "誤り")
        with pytest.raises(UsageError, match="is withdrawn, so there is no approval"):
            ledger.approve("release-1", "kuroda", "withdrawn", "誤り")
