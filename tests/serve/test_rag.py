"""`rag:NAME` over the wire: an OpenAI client asks the documents, under the rights of its key."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest

from tensaku.ledger import Ledger
from tensaku.retrieve.answer import Answerer
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Searcher
from tensaku.serve import Lineup, Rules, Served, build_app
from tensaku.serve.rag import DocumentEngine, rag_name
from tensaku.testing import ScriptedEngine, serving

OPEN = "# 運用規程\n\n第3条（解約の受付） 解約の申込みは、毎営業日の午後3時30分までに受け付ける。\n"
SECRET = "# 監査手帳\n\n内部監査の暗号名は紅葉作戦であり、十月に抜き打ちで行う。\n"
ACCESS = '[[rule]]\npath = "rules/*"\nwho = ["everybody"]\n[[rule]]\npath = "rules/監査*"\nwho = ["sato"]\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str], Ledger]]:
    """The address, a key by person, the ledger."""
    folder = tmp_path_factory.mktemp("rag")
    (folder / "rules").mkdir()
    (folder / "rules/運用規程.md").write_text(OPEN, encoding="utf-8")
    (folder / "rules/監査手帳.md").write_text(SECRET, encoding="utf-8")
    (folder / "rights.toml").write_text(ACCESS, encoding="utf-8")
    index([Collection("rules", folder / "rules")], folder / "index", None)
    answerer = Answerer(Searcher(folder / "index", None, Rights(folder / "rights.toml")), sure=0.4)
    model = Served(name=rag_name("rules"), release="", adapter=None, engine=DocumentEngine(answerer))
    engine = ScriptedEngine(lambda messages: "base", context=5000)
    with Ledger.open(folder / "ledger.db") as ledger:
        keys = {}
        for name in ("sato", "tanaka"):
            ledger.add_person(name, name)
            keys[name] = ledger.add_key(name, "test")[1]
        app = build_app(engine=engine, models=Lineup(beside=[model]), ledger=ledger, rules=Rules(record="hash"))
        with serving(app) as url:
            yield url, keys, ledger
    engine.close()


def client(place: tuple[str, dict[str, str], Ledger], person: str) -> openai.OpenAI:
    url, keys, _ = place
    return openai.OpenAI(base_url=f"{url}/v1", api_key=keys.get(person, "none"), max_retries=0)


def ask(held: openai.OpenAI, *turns: str) -> str:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": turn} for n, turn in enumerate(turns)]
    made = held.chat.completions.create(model="rag:rules", messages=messages)  # type: ignore[arg-type]
    return made.choices[0].message.content or ""


def test_a_client_asks_as_it_asks_any_model(place: tuple[str, dict[str, str], Ledger]) -> None:
    held = client(place, "tanaka")
    assert "rag:rules" in [model.id for model in held.models.list()]
    whole = ask(held, "解約の申込みは何時まで受け付けますか")
    assert "午後3時30分" in whole
    assert whole.endswith("[1] 運用規程 第3条 p.1")
    stream = held.chat.completions.create(
        model="rag:rules", messages=[{"role": "user", "content": "解約の申込みは何時まで受け付けますか"}], stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(pieces) == whole
    assert sum(bool(piece) for piece in pieces) > 1


def test_follow_ups_and_not_found(place: tuple[str, dict[str, str], Ledger]) -> None:
    held = client(place, "tanaka")
    assert "受け付ける" in ask(held, "解約の申込みは何時までですか", "午後3時30分です。", "その申込みの受付は？")
    assert ask(held, "社長の誕生日はいつですか") == "該当する記載は見つかりませんでした。"
    assert ask(held, "Who wrote Hamlet?") == "The documents say nothing about this."


@pytest.mark.parametrize(("person", "sees"), [("sato", True), ("tanaka", False), ("nobody", False)])
def test_a_key_opens_what_its_person_may_see(
    place: tuple[str, dict[str, str], Ledger], person: str, sees: bool
) -> None:
    answer = ask(client(place, person), "内部監査の暗号名は何ですか")
    assert ("紅葉" in answer) is sees


def test_wrong_requests_are_told_what_is_wrong(place: tuple[str, dict[str, str], Ledger]) -> None:
    url, keys, _ = place
    head = {"authorization": f"Bearer {keys['tanaka']}"}

    def post(**more: object) -> httpx.Response:
        return httpx.post(f"{url}/v1/chat/completions", headers=head, json={"model": "rag:rules", **more})

    ends = post(messages=[{"role": "assistant", "content": "x"}])
    assert (ends.status_code, "does not end with a question" in ends.text) == (400, True)
    blank = post(messages=[{"role": "user", "content": "  "}])
    assert (blank.status_code, "the question is empty" in blank.text) == (400, True)
    warm = post(messages=[{"role": "user", "content": "解約"}], temperature=1)
    assert warm.status_code == 400
    wrong = httpx.post(
        f"{url}/v1/chat/completions",
        headers=head,
        json={"model": "rag:rule", "messages": [{"role": "user", "content": "x"}]},
    )
    assert (wrong.status_code, "rag:rules" in wrong.text) == (404, True)


def test_the_ledger_holds_no_text_of_a_document_under_hash(place: tuple[str, dict[str, str], Ledger]) -> None:
    url, _, ledger = place
    ask(client(place, "sato"), "内部監査の暗号名は何ですか")
    newest = ledger.answers()[-1]
    assert (newest.model, newest.by, newest.prompt, newest.answer) == ("rag:rules", "sato", None, None)
    assert newest.provenance["engine"] == "documents"
    assert "紅葉" not in httpx.get(f"{url}/metrics").text
