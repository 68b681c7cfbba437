"""Nothing of a document reaches whoever may not see it: by search, citation, document, count, score, order or time."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest

from tensaku.errors import DataError, UsageError
from tensaku.govern.barriers import Barriers
from tensaku.retrieve.answer import Answerer
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Hit, Searcher

OPEN = '[[rule]]\npath = "rules/*"\nwho = ["everybody"]\n'
CLOSED = OPEN + '[groups]\naudit = ["sato"]\n[[rule]]\npath = "rules/監査/*"\nwho = ["audit", "mori"]\n'
SECRET = "紅葉作戦の暗号名"


@pytest.fixture
def held(folder: Path) -> Searcher:
    index([Collection("rules", folder / "rules")], folder / "index", None)
    (folder / "rights.toml").write_text(CLOSED, encoding="utf-8")
    return Searcher(folder / "index", None, Rights(folder / "rights.toml"))


def told(hits: list[Hit]) -> list[tuple[str, float, float, dict[str, int]]]:
    return [(hit.path, hit.score, hit.covered, hit.ranks) for hit in hits]


@pytest.mark.parametrize("person", ["", "tanaka", "audit", "Sato", "everybody", "system"])
def test_search_shows_nothing_to_others(held: Searcher, person: str) -> None:
    for question in (SECRET, "監査手帳", "紅葉", "十月に抜き打ち", "rules/監査/監査手帳.md"):
        assert all("監査" not in hit.path for hit in held.search(question, person, k=100)), question


@pytest.mark.parametrize("person", ["sato", "mori"])
def test_search_shows_it_to_those_who_may(held: Searcher, person: str) -> None:
    assert held.search(SECRET, person)[0].title == "監査手帳"


@pytest.mark.parametrize("few", [0, 16, 10**9], ids=["by the hidden", "as it comes", "by the holders"])
def test_everything_that_comes_back_is_as_if_the_document_were_not_there(
    held: Searcher, folder: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensaku.retrieve.bm25._FEW", few)  # both ways to count what a person may see
    questions = ["紅葉作戦", "内部監査の抜き打ち", "解約の申込み", "運用管理部", "手数料", "fees in March"]
    before = [told(held.search(q, "tanaka", k=50)) for q in questions]
    counts = held.sources("tanaka")
    (folder / "rules/監査/監査手帳.md").unlink()
    index([Collection("rules", folder / "rules")], folder / "index", None)
    assert [told(held.search(q, "tanaka", k=50)) for q in questions] == before
    assert held.sources("tanaka") == counts == {"rules": 3}


def test_counts_name_no_source_of_which_nothing_may_be_seen(held: Searcher, folder: Path) -> None:
    (folder / "rights.toml").write_text('[[rule]]\npath = "rules/監査/*"\nwho = ["sato"]\n', encoding="utf-8")
    assert held.sources("tanaka") == {}
    assert held.sources("sato") == {"rules": 1}


def test_citations_and_documents_cannot_be_guessed(held: Searcher) -> None:
    secret = held.search(SECRET, "sato")[0]
    name = held.index
    assert held.passage(secret.passage, "sato", name) is not None
    assert held.passage(secret.passage, "tanaka", name) is None
    assert held.document(secret.passage, "tanaka", name) == []
    assert held.passage(10_000, "sato", name) is None
    assert held.passage(-1, "sato", name) is None
    assert held.passage(secret.passage, "sato", "another") is None


def test_answers_quote_nothing_hidden(held: Searcher) -> None:
    answerer = Answerer(held, sure=0.3)
    assert "紅葉作戦" in answerer.answer("内部監査の暗号名は何か", "sato").text
    hidden = answerer.answer("内部監査の暗号名は何か", "tanaka")
    assert "紅葉" not in hidden.text + hidden.sources + "".join(hit.text for hit in hidden.hits)


def test_rights_changed_now_hold_for_the_next_question(held: Searcher, folder: Path) -> None:
    path = folder / "rights.toml"
    assert held.search(SECRET, "sato")[0].title == "監査手帳"
    other = CLOSED.replace('"sato"', '"kato"')
    assert len(other) == len(CLOSED), "neither size nor, within a tick, the time of change tells"
    path.write_text(other, encoding="utf-8")
    assert all(hit.title != "監査手帳" for hit in held.search(SECRET, "sato"))
    assert held.search(SECRET, "kato")[0].title == "監査手帳"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rule = 3", "rule 1|no rule"),
        ("[[rule]]\npath = 3\nwho = []", "rule 1 is no rule"),
        ('[[rule]]\npath = "*"\nwho = "everybody"', "rule 1 is no rule"),
        ('[[rules]]\npath = "*"', "only"),
        ('[[rule]]\npath = "*"\nfund = "*"\nwho = ["sato"]', "rule 1 is no rule"),
        ('[[rule]]\nsource = 7\nwho = ["sato"]', "rule 1 is no rule"),
        ("not toml", "no TOML"),
    ],
)
def test_wrong_rules_close_everything(held: Searcher, folder: Path, text: str, named: str) -> None:
    (folder / "rights.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=named):
        held.search("解約", "sato")


def test_missing_rules_close_everything(held: Searcher, folder: Path) -> None:
    held.search("解約", "sato")
    (folder / "rights.toml").unlink()
    with pytest.raises(UsageError, match="nothing is shown"):
        held.search("解約", "sato")


def test_documents_of_a_closed_fund_are_not_there_and_the_index_as_a_whole_is_as_strict(folder: Path) -> None:
    (folder / "deal").mkdir()
    (folder / "deal/覚書.md").write_text("# 覚書\n\n売却先の候補は紅葉商事である。\n", encoding="utf-8")
    sources = [Collection("rules", folder / "rules"), Collection("deal", folder / "deal", "私募ファンド甲")]
    index(sources, folder / "index", None)
    path = folder / "rights.toml"
    everybody = '[[rule]]\npath = "*"\nwho = ["everybody"]\n'
    path.write_text(everybody + '[[rule]]\nfund = "私募*"\nwho = ["sato"]\n', encoding="utf-8")
    held, barriers = Searcher(folder / "index", None, Rights(path)), Barriers(folder, Rights(path))
    found = held.search("売却先の候補", "sato")[0]
    assert (found.title, found.fund) == ("覚書", "私募ファンド甲")
    assert all(hit.source != "deal" for hit in held.search("売却先の候補", "tanaka", k=50))
    assert held.passage(found.passage, "tanaka", held.index) is None
    assert (held.sources("tanaka"), held.sources("sato")) == ({"rules": 4}, {"deal": 1, "rules": 4})
    assert (barriers.opens_index("sato"), barriers.opens_index("tanaka"), barriers.opens_index("")) == (
        True,
        False,
        False,
    )
    path.write_text(everybody, encoding="utf-8")
    assert held.search("売却先の候補", "tanaka")[0].title == "覚書"
    assert barriers.opens_index("tanaka")


def test_time_tells_nothing(folder: Path) -> None:
    secret = folder / "rules/監査/多数.txt"
    secret.write_text("\n\n".join(f"紅葉作戦の第{n}報。{'暗号名は紅葉。' * 20}" for n in range(800)), encoding="utf-8")
    index([Collection("rules", folder / "rules")], folder / "index", None)
    (folder / "rights.toml").write_text(CLOSED, encoding="utf-8")
    held = Searcher(folder / "index", None, Rights(folder / "rights.toml"), even=0.05)
    held.search("慣らし", "tanaka")

    def seconds(question: str) -> float:
        began = time.perf_counter()
        held.search(question, "tanaka")
        return time.perf_counter() - began

    def apart() -> float:
        """How far the two kinds of question are apart in time, by medians."""
        taken = [(seconds("紅葉作戦の暗号名"), seconds("青葉演習の合言葉")) for _ in range(7)]
        hidden, absent = (statistics.median(column) for column in zip(*taken, strict=True))
        assert hidden > 0.045, "it waits for the next multiple"
        return float(abs(hidden - absent))

    # A busy machine may carry one of them over to the next multiple; a leak would show each time.
    assert any(apart() < 0.01 for _ in range(4))
