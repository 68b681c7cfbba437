"""A ledger with two people, two drafts and a revision."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tensaku.ledger import DraftRow, Ledger, NewDraft, RevisionRow
from tensaku.records import Revision, Usage, Verdict

DRAFT = "当月の国内株式市場は３．２％上昇した。日銀は政策金利を据え置いた。"
REVISED = "当月の国内株式市場は3.2%上昇しました。日銀は政策金利を据え置きました。"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as opened:
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
