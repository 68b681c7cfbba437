"""`tensaku index` and `tensaku search` as somebody types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tensaku import library
from tensaku.cli import main
from tensaku.errors import UsageError
from tensaku.library import answerer, writing
from tensaku.pipeline import Workspace
from tensaku.records import Message
from tensaku.serve import Served, build_app
from tensaku.store import SilentReporter
from tensaku.testing import ScriptedEngine, serving

RULE = "# 運用規程\n\n第3条（解約の受付） 解約の申込みは、毎営業日の午後3時までに受け付ける。\n"
SECRET = "# 監査手帳\n\n内部監査の暗号名は紅葉作戦である。\n"
TASK = """
[retrieve]
rights = "rights.toml"
terms = "terms.toml"
sure = 0.4
vectors = false
embedding = { model = "none" }
[[retrieve.documents]]
path = "rules"
name = "rules"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    from tensaku.demo import lay_out

    folder = tmp_path / "desk"
    lay_out(folder)
    (folder / "rules").mkdir()
    (folder / "rules/規程_2026-01-01.md").write_text(RULE, encoding="utf-8")
    (folder / "rules/規程_2026-09-01.md").write_text(RULE.replace("3時", "4時"), encoding="utf-8")
    (folder / "rules/監査手帳.md").write_text(SECRET, encoding="utf-8")
    rules = '[[rule]]\npath = "*"\nwho = ["everybody"]\n[[rule]]\npath = "rules/監査*"\nwho = ["sato"]\n'
    (folder / "rights.toml").write_text(rules, encoding="utf-8")
    (folder / "terms.toml").write_text('"解約" = ["換金"]\n', encoding="utf-8")
    with (folder / "tensaku.toml").open("a", encoding="utf-8") as file:
        file.write(TASK)
    return folder


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["tensaku", *words])
    code = 0
    try:
        main()
    except SystemExit as left:
        code = int(left.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_index_and_search(desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def typed(*words: str) -> tuple[int, str, str]:
        return run(capsys, monkeypatch, *words, "-C", str(desk))

    code, _, err = typed("search", "解約")
    assert (code, "there is no index yet" in err) == (2, True), err
    code, out, _ = typed("index", "--json")
    assert (code, json.loads(out)["read"]) == (0, 3)
    code, out, _ = typed("search", "換金の申込みは何時まで", "--answer")
    assert (code, "午後4時" in out, "[1] 規程 第3条 p.1" in out) == (0, True, True)
    code, out, _ = typed("search", "解約は何時まで", "--answer", "--as-of", "2026-03-31")
    assert "午後3時" in out
    code, out, _ = typed("search", "内部監査の暗号名", "--json")
    assert "紅葉" not in out
    code, out, _ = typed("search", "内部監査の暗号名", "--json", "--by", "sato")
    assert json.loads(out)[0]["title"] == "監査手帳"
    code, out, _ = typed("search", "解約", "--source", "other")
    assert out == "Nothing was found.\n"
    code, _, err = typed("search", "解約", "--as-of", "3月")
    assert (code, "no day" in err, "Traceback" in err) == (2, True, False)
    code, _, err = typed("search", " ")
    assert (code, "the question is empty" in err) == (2, True)
    (desk / "rules/壊れ.md").write_bytes(b"\0\1")
    code, out, _ = typed("index")
    assert (code, "rules/壊れ.md: it cannot be read (it is not text)" in out) == (1, True)


def test_whoever_starts_the_server_is_told_of_an_index_that_memory_does_not_hold(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.open(desk)
    with workspace.open_ledger() as ledger:
        held = answerer(workspace, ledger)
        assert library.in_memory(held, SilentReporter()) == [], "without an index there is nothing to read"
        assert run(capsys, monkeypatch, "index", "-C", str(desk))[0] == 0
        assert library.in_memory(held, SilentReporter()) == []
        monkeypatch.setattr("tensaku.retrieve.snapshot.available_mb", lambda: 0.0)
        (told,) = library.in_memory(held, SilentReporter())
        assert told.startswith("Index     its 0 MB do not fit")


def test_search_acts_under_the_rights_that_hold_for_every_command(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*before: str, by: tuple[str, ...] = (), answer: tuple[str, ...] = ()) -> bool:
        words = (*before, "search", "内部監査の暗号名は何ですか", "--json", *by, *answer, "-C", str(desk))
        code, out, err = run(capsys, monkeypatch, *words)
        assert code == 0, err
        return "紅葉" in out

    monkeypatch.setenv("LOGNAME", "tanaka")  # the user of this machine, as getpass tells it
    run(capsys, monkeypatch, "index", "-C", str(desk))
    for answer in ((), ("--answer",)):
        assert not found(answer=answer)
        assert found("--as", "sato", answer=answer)
        assert not found("--as", "suzuki", answer=answer)
        assert found("--as", "suzuki", by=("--by", "sato"), answer=answer), "who asks goes before whose rights hold"
        assert not found("--as", "sato", by=("--by", "suzuki"), answer=answer)
    monkeypatch.setenv("LOGNAME", "sato")
    assert found(), "without a name it is the user of this machine"
    assert not found("--as", "suzuki")


def test_a_task_without_documents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensaku.demo import lay_out

    lay_out(tmp_path / "desk")
    code, _, err = run(capsys, monkeypatch, "index", "-C", str(tmp_path / "desk"))
    assert (code, "names no documents" in err) == (2, True)


def worded(messages: tuple[Message, ...]) -> str:
    """A model that says one thing that its sources bear out, and one that they do not."""
    assert "第3条" in messages[-1].content
    return "解約の申込みは午後4時までに受け付ける。[1]解約の手数料は9%である。[1]"


def test_a_configured_engine_words_answers_and_each_sentence_is_checked(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, monkeypatch, "index", "-C", str(desk))
    served = Served(name="base", release="", adapter=None, engine=ScriptedEngine(worded))
    with serving(build_app(engine=ScriptedEngine(worded), models=[served])) as url:
        engine = f'retrieve.engine={{ engine = "openai", url = "{url}/v1", model = "base" }}'
        words = ("search", "解約の申込みは何時まで", "--answer", "-s", 'retrieve.answers="model"', "-s", engine)
        code, out, err = run(capsys, monkeypatch, *words, "--json", "-C", str(desk))
        assert code == 0, err
        told = json.loads(out)
        assert (told["by"], told["found"]) == ("model", True)
        assert told["said"] == [{"text": "解約の申込みは午後4時までに受け付ける。", "cites": [1], "borne": True}]
        assert told["dropped"] == ["解約の手数料は9%である。"]
        code, out, _ = run(capsys, monkeypatch, *words, "-s", 'retrieve.unsupported="mark"', "-C", str(desk))
        assert "解約の手数料は9%である。（根拠なし）" in out
    code, _, err = run(capsys, monkeypatch, *words, "-C", str(desk))
    assert (code, "Traceback" in err) == (1, False), "a model that does not answer is told"


def test_who_words_the_answers(desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run(capsys, monkeypatch, "index", "-C", str(desk))
    with writing(Workspace.open(desk), lambda: ScriptedEngine(worded)) as write:
        assert write is None, "quotations need no model"
    workspace = Workspace.open(desk, ['retrieve.answers="model"'])
    with pytest.raises(UsageError, match="there is no model yet"), writing(workspace):
        pass
    question = "解約の申込みは何時まで"
    with workspace.open_ledger() as ledger:
        for context, by in ((2000, "model"), (400, "extract")):
            champion = ScriptedEngine(worded, context=context)
            with writing(workspace, lambda champion=champion: champion) as write:  # type: ignore[misc]
                told = answerer(workspace, ledger, write).answer(question)
                assert (told.by, "午後4時" in told.text) == (by, True), context
        (request,) = champion.requests or (None,)
        assert request is None, "what does not fit is not asked"
