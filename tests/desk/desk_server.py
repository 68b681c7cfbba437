"""A desk with a real ledger and a scripted engine, in a process of its own: python desk_server.py FOLDER PORT."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tensaku.desk import mount
from tensaku.ledger import Ledger, NewDraft
from tensaku.plan import errors_so_far
from tensaku.records import Message
from tensaku.revise import Job
from tensaku.serve import Served, build_app, run
from tensaku.testing import ScriptedEngine, write_adapter
from tensaku.text import required_from, style_from

DRAFT = "当月の国内株式市場は、日銀の政策を背景に３．２パーセント上昇した。円相場は一時的に円安とならなかった。"
HOSTILE = "<script>window.hit=1</script><img src=x onerror=window.hit=2>当月は1.5％上昇した。</textarea><b>太字</b>"
GOOD = "10月の国内株式市場は、日本銀行の政策を背景に3.2％上昇しました。円相場は一時的に円安になりませんでした。"
BAD = "10月の国内株式市場は、日本銀行の政策を背景に3.8％上昇しました。円相場は一時的に円安になりませんでした。"


STYLE = """
[[rule]]
name = "6 割合の単位"
pattern = '％|パーセント'
say = "半角の % で書く"
write = '%'

[[rule]]
name = "1-2 敬体の文末"
pattern = '(?:ました|ません|でした)。'
say = "常体（である調）にそろえる"

[[require]]
name = "注意喚起"
text = "将来の成果を約束するものではありません。"
sections = ["outlook"]
"""


NOTED = [
    {
        "name": f"tune-{n}ab41f2", "kind": "tune", "peak_mb": 1500.0 + n, "peak_predicted": 1530.0,
        "memory_error": 0.02 - n / 100,
        "seconds": 2.0, "seconds_predicted": 2.2, "time_error": 0.1, "date": "2026-11-27", "traits": ["lora"],
        "outside": ["less work"] if n == 2 else [],
    }
    for n in range(12)
]  # fmt: skip
"""What the plan said of twelve trainings."""


def answer(messages: tuple[Message, ...]) -> str:
    """By the fund, which stands in what the model is asked."""
    asked = messages[-1].content
    if "事実" in asked:
        return BAD
    if "<script>" in asked:
        return HOSTILE
    return GOOD


def fill(ledger: Ledger) -> None:
    for name, display in (("sato", "佐藤 美咲"), ("tanaka", "田中 健一")):
        ledger.add_person(name, display, ("writer",))
    for number in range(6):
        ledger.add_draft(
            NewDraft(DRAFT, "青葉アセット", f"国内株式{number}", "market", "2026-10", "sample", f"a{number}")
        )
    ledger.add_draft(NewDraft(DRAFT, "北辰投資顧問", "事実ファンド", "performance", "2026-10", "sample", "b"))
    ledger.add_draft(NewDraft("長い原稿。" * 700, "北辰投資顧問", "長文ファンド", "outlook", "2026-10", "sample", "c"))
    ledger.add_draft(NewDraft("堅調を見込む。", "北辰投資顧問", "文言ファンド", "outlook", "2026-08", "sample", "e"))
    ledger.add_draft(NewDraft(HOSTILE, "<b>太字</b>社", "<i>斜体</i>", "market", "2026-09", "sample", "d"))


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    ledger = Ledger.open(folder / "ledger.db")
    if not ledger.people():
        fill(ledger)
    engine = ScriptedEngine(answer, delay=0.02, piece=1, context=3000)
    engine.load_adapter("comment", write_adapter(folder / "adapter"))
    names = {"日本銀行": ("日銀", "日本銀行")}
    about = {"release": "release-3fa9c1d2b0aa", "trial": "yes"}
    style, required = style_from(STYLE, "style.toml"), required_from(STYLE, "style.toml")
    job = Job("直してください。", "comment", names, provenance=about, style=style, required=required)
    app = build_app(engine=engine, models=[Served("comment", "release-3fa9c1d2b0aa", "comment", trial=True)])
    (folder / "plan-errors.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in NOTED), encoding="utf-8")
    mount(app, ledger=ledger, engine=engine, job=job, errors=lambda: errors_so_far(folder))
    run(app, port=port, ready=lambda url: print(url, flush=True))
    print("ended", flush=True)


if __name__ == "__main__":
    main()
