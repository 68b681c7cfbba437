"""Ten sample reports, written once, and a road into a ledger of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tensaku.intake import Reports, Road
from tensaku.ledger import Ledger
from tensaku.sampledesk.content import funds
from tensaku.sampledesk.reports import SampleReport, write_reports
from tensaku.sampledesk.voices import voices

CFG = Reports(managers=tuple(v.name for v in voices()), funds=tuple(f.name for f in funds()))


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[SampleReport]]:
    """The folder and what is in its files."""
    folder = tmp_path_factory.mktemp("reports")
    return folder, write_reports(folder)


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.add_person("sato", "佐藤 花子", ("writer",))
        yield Road(ledger, CFG, tmp_path / "kept")
