"""A ledger with two people, two drafts and a revision."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tensaku.ledger import DraftRow, Ledger, NewDraft, RevisionRow
from tensaku.records import Revision, Usage, Verdict

DRAFT = "当月の国内株式市場は３．２％上昇した。日銀は政策金利を据え置いた。"
REVISED = "当月の国内株式市場は3.2%上昇しました。日銀は政策金利を据え置きました。"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whoever uses the ledger alone is run on both databases; the whole suite on PostgreSQL is slow."""
    own = metafunc.function.__code__.co_varnames[: metafunc.function.__code__.co_argcount]
    if "database" in metafunc.fixturenames:
        of_file = {"path", "tmp_path", "written"} & set(own) or getattr(metafunc.module, "OF_THE_FILE", False)
        kinds = ["sqlite"] if of_file else ["sqlite", POSTGRES]
        metafunc.parametrize("database", kinds, indirect=True)


POSTGRES = pytest.param("postgres", marks=pytest.mark.slow)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A PostgreSQL for this run; see postgres.py."""
    yield from _cluster()


@pytest.fixture(scope="module")
def mortal() -> Iterator[Any]:
    """One of its own for tests that kill it: it has few databases to recover."""
    yield from _cluster()


def _cluster() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("tensaku_test_postgres", Path(__file__).parent / "postgres.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    running = module.Cluster()
    yield running
    running.stop()


@pytest.fixture
def database(request: pytest.FixtureRequest, path: Path) -> str | Path:
    """Where the ledger of this test is: a file, or a new database of the server."""
    return path if request.param == "sqlite" else str(request.getfixturevalue("cluster").new())


@pytest.fixture
def ledger(database: str | Path) -> Iterator[Ledger]:
    with Ledger.open(database) as opened:
        opened.add_person("sato", "佐藤 花子", ("writer", "engineer"))
        opened.add_person("tanaka", "田中 一郎", ("writer", "approver"))
        yield opened


@pytest.fixture
def new_draft() -> Callable[..., NewDraft]:
    """Makes a draft to add."""

    def make(text: str = DRAFT, reference: str = "", fund: str = "国内株式F", as_of: str = "2026-10") -> NewDraft:
        return NewDraft(text, "みさき投信", fund, "market", as_of, "paste", reference)

    return make


@pytest.fixture
def new_revision() -> Callable[..., Revision]:
    """Makes a revision to add."""
    maker = {
        "release": "release-1",
        "adapter": "a" * 64,
        "base": "b" * 64,
        "engine": "native",
        "version": "1",
        "trial": "no",
    }

    def make(draft: str = DRAFT, text: str = REVISED) -> Revision:
        return Revision(draft, text, Verdict(), "stop", Usage(30, 25), maker)

    return make


@pytest.fixture
def draft(ledger: Ledger, new_draft: Callable[..., NewDraft]) -> DraftRow:
    return ledger.add_draft(new_draft())


@pytest.fixture
def revision(ledger: Ledger, draft: DraftRow, new_revision: Callable[..., Revision]) -> RevisionRow:
    return ledger.add_revision(draft.id, new_revision(), by="sato")
