"""Comments of the ledger as documents: found by whoever may see their fund, gone the moment they are erased."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tensaku import library
from tensaku.cli import main
from tensaku.ledger import DraftRow, NewDraft
from tensaku.pipeline import Workspace
from tensaku.retrieve.search import Filters, Searcher

TASK = """
[retrieve]
finals = "comments"
vectors = false
embedding = { model = "none" }
"""
DRAFTS = (
    ("みずいろ国内株式ファンド", "2026-09", "今月の相場は半導体株の下落から値下がりしました。"),
    ("みずいろ国内株式ファンド", "2026-10", "今月の相場は銀行株の買いから値上がりしました。"),
    ("ことのは国内債券ファンド", "2026-10", "今月の市場は利上げ観測から値下がりしました。"),
)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    from tensaku.demo import lay_out

    folder = tmp_path / "desk"
    lay_out(folder)
    with (folder / "tensaku.toml").open("a", encoding="utf-8") as file:
        file.write(TASK)
    with Workspace.open(folder).open_ledger() as ledger:
        ledger.add_person("sato", "佐藤", ("writer",))
        ledger.add_person("kato", "加藤", ("writer",), scopes=("fund:ことのは国内債券ファンド",))
        ledger.add_person("oda", "小田", ("admin",))
        for fund, month, text in DRAFTS:
            draft = ledger.add_draft(NewDraft(text, "蒼樹坂アセットマネジメント", fund, "market", month, "test"))
            ledger.save_final(draft.id, text.replace("今月", "当月").replace("ました", "た"), "sato")
    return folder


def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["tensaku", *words])
    code = 0
    try:
        main()
    except SystemExit as left:
        code = int(left.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_comments_are_found_kept_apart_and_erased(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        code, out, err = typed(monkeypatch, capsys, *words, "-C", str(desk))
        assert code == 0, err
        return out

    def found(question: str, *more: str) -> list[str]:
        return [f"{hit['fund']} {hit['as_of']}" for hit in json.loads(said("search", question, "--json", *more))]

    assert json.loads(said("index", "--json"))["read"] == 3
    assert json.loads(said("index", "--json"))["unchanged"] == 3
    hit = json.loads(said("search", "銀行株の買い", "--by", "sato", "--json"))[0]
    assert hit["title"] == "みずいろ国内株式ファンド 市場動向 2026年10月"
    assert hit["cited"] == "みずいろ国内株式ファンド 市場動向 2026年10月 p.1"
    assert (hit["source"], hit["as_of"]) == ("comments", "2026-10-01")
    assert found("当月の相場", "--by", "sato", "--as-of", "2026-09-15") == ["みずいろ国内株式ファンド 2026-09-01"]
    bonds = ["ことのは国内債券ファンド 2026-10-01"]
    assert found("当月の市場", "--by", "sato", "--fund", bonds[0][:-11]) == bonds
    assert found("値上がりした銀行株の市場", "--by", "kato") == bonds, "of another fund nothing, in order or in count"
    assert found("銀行株", "--by", "") == found("銀行株", "--by", "nemo") == []

    (desk / "rights.toml").write_text('[[rule]]\npath = "comments/みずいろ*/2026-10/*"\nwho = ["oda"]\n')
    narrowed = found("当月の相場", "--by", "sato", "-s", 'retrieve.rights="rights.toml"')
    assert "みずいろ国内株式ファンド 2026-10-01" not in narrowed
    assert "みずいろ国内株式ファンド 2026-09-01" in narrowed, "what no rule names is seen as the ledger says"

    out = said("log", "erase", "draft:2", "--by", "oda", "--reason", "本人の請求")
    assert "1 comments taken out of the index" in out
    assert all("2026-10" not in one for one in found("銀行株の買い", "--by", "sato") if "株式" in one)
    kept = [path for path in (desk / ".tensaku/index").rglob("*") if path.is_file()]
    assert kept
    assert not any("銀行株".encode() in path.read_bytes() for path in kept), "its words are off the disk"
    assert json.loads(said("index", "--json")) | {"snapshot": ""} == {
        "read": 0, "unchanged": 2, "removed": 0, "passages": 2, "documents": 2, "snapshot": "",
        "faults": {}, "notes": {},
    }  # fmt: skip


def test_rights_and_texts_of_this_moment_count_before_the_next_indexing(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, capsys, "index", "-C", str(desk))
    workspace = Workspace.open(desk)
    with workspace.open_ledger() as ledger:
        held: Searcher = library.answerer(workspace, ledger).searcher

        def months(person: str) -> list[str]:
            return sorted(hit.as_of for hit in held.search("当月の相場と市場", person, filters=Filters()))

        assert months("sato") == ["2026-09-01", "2026-10-01", "2026-10-01"]
        at = held.search("銀行株", "sato")[0]
        assert held.document(at.passage, "kato", held.index) == []
        assert held.sources("kato") == {"comments": 1}
        ledger.set_scopes("sato", ["fund:ことのは国内債券ファンド"])
        assert months("sato") == ["2026-10-01"]
        ledger.set_scopes("sato", [])
        ledger.erase(["final:1"], "oda", "期限")
        assert months("sato") == ["2026-10-01", "2026-10-01"], "no run of index was needed"
        draft: DraftRow = ledger.draft(2)
        ledger.save_final(draft.id, "当月の相場は書き直した。", "sato", based_on=2, reasons={})
        assert months("sato") == ["2026-10-01"], "a text written anew takes the former one's place"
        ledger.set_active("sato", False)
        assert months("sato") == []


def test_a_final_counts_once_a_second_person_approved_it(desk: Path) -> None:
    workspace = Workspace.open(desk, ["desk.review=true"])
    with workspace.open_ledger() as ledger:
        ledger.add_person("mori", "森", ("reviewer",))
        assert ledger.seen_by("sato") == []
        ledger.add_review(1, "approved", "mori")
        assert [one.id for one in ledger.seen_by("sato")] == [1]
        assert [pair["id"] for pair in ledger.freeze()] == ["ledger-1"]
