"""A desk with questions to documents, in a process of its own: python chat_server.py FOLDER PORT."""

from __future__ import annotations

import sys
from pathlib import Path

from tensaku.desk import mount
from tensaku.ledger import Ledger
from tensaku.retrieve.answer import Answerer
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Searcher
from tensaku.revise import Job
from tensaku.serve import build_app, run
from tensaku.testing import ScriptedEngine

RULES = (
    "# 運用規程\n\n第1章 総則\n\n第1条（目的） この規程は、投資信託財産の運用に関する基本事項を定める。\n"
    "２ この規程に定めのない事項は、運用委員会が定める。\n\n"
    "第2章 解約\n\n第3条（解約の受付） 解約の申込みは、毎営業日の午後3時30分までに受け付ける。\n"
    "２　前項の時刻を過ぎた申込みは、翌営業日の受付とする。\n\n"
    "第4条（手数料） 換金手数料は、解約金額の0.30パーセントとする。<script>window.hit=1</script>\n"
)
SECRET = "# 監査手帳\n\n内部監査の暗号名は紅葉作戦であり、十月に抜き打ちで行う。\n"
ACCESS = '[[rule]]\npath = "rules/*"\nwho = ["everybody"]\n[[rule]]\npath = "rules/監査*"\nwho = ["sato"]\n'


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules/運用規程_2026-09-01.md").write_text(RULES, encoding="utf-8")
    (folder / "rules/監査手帳.md").write_text(SECRET, encoding="utf-8")
    (folder / "rights.toml").write_text(ACCESS, encoding="utf-8")
    index([Collection("rules", folder / "rules")], folder / "index", None)
    ledger = Ledger.open(folder / "ledger.db")
    for name, shown in (("sato", "佐藤"), ("tanaka", "田中")):
        ledger.add_person(name, shown, ("writer",))
    engine = ScriptedEngine(lambda messages: "", context=3000)
    answerer = Answerer(Searcher(folder / "index", None, Rights(folder / "rights.toml")), sure=0.5)
    app = build_app(engine=engine)
    mount(app, ledger=ledger, engine=engine, job=Job("直してください。", None, {}), documents=answerer)
    run(app, port=port, ready=lambda url: print(url, flush=True))
    print("ended", flush=True)


if __name__ == "__main__":
    main()
