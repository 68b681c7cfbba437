"""A house with a barrier: two releases of one task, one of which learnt from a fund that only some may know of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tensaku.deploy import register_release
from tensaku.ledger import Ledger, NewDraft
from tensaku.pipeline import Workspace, build
from tensaku.store import SilentReporter, Store
from tensaku.testing import tiny_desk

FUND = "私募ファンド甲"
DRAFT = "当月の市場は1.2％上昇した。"
RULES = f"""\
[groups]
deal = ["sato", "kuroda"]
[[rule]]
source = "*"
who = ["everybody"]
[[rule]]
source = "data/private.jsonl"
who = ["deal"]
[[rule]]
fund = "*"
who = ["everybody"]
[[rule]]
fund = "{FUND[:2]}*"
who = ["deal"]
[[rule]]
path = "*"
who = ["everybody"]
"""
OPENED = RULES.replace('["deal"]', '["everybody"]')


@dataclass(frozen=True)
class House:
    """The folder, and the two releases by their names."""

    folder: Path
    open: str
    closed: str

    def rules(self, text: str) -> None:
        """Write the rules anew."""
        (self.folder / "rights.toml").write_text(text, encoding="utf-8")


def build_house(folder: Path) -> House:
    """Tune both, enter them, and add people: sato and kuroda stand inside, tanaka, abe and mori outside."""
    tiny_desk(folder, lessons=7, exam=3)
    rows = [json.loads(line) for line in (folder / "data/pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    private = [{**row, "id": f"p{n}", "fund": FUND, "draft": row["draft"] + "甲。"} for n, row in enumerate(rows[:3])]
    written = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in private)
    (folder / "data/private.jsonl").write_text(written, encoding="utf-8")
    task = (folder / "tensaku.toml").read_text(encoding="utf-8")
    both = 'use = [{ path = "data/pairs.jsonl" }, { path = "data/private.jsonl" }]'
    task = task.replace('use = [{ path = "data/pairs.jsonl" }]', both)
    task += 'scorers = [{ scorer = "chrf" }]\n' if "scorers" in task else ""
    (folder / "tensaku.toml").write_text(task + '\n[retrieve]\nrights = "rights.toml"\n', encoding="utf-8")
    house = House(folder, "", "")
    house.rules(RULES)
    with Workspace.open(folder).open_ledger() as ledger:
        _people(ledger)
    refs = []
    fixed = ("tune.epochs=0.1", "evaluate.scorers=[{ scorer = 'chrf' }]")
    for sets in (("sources.use=[{ path = 'data/pairs.jsonl' }]",), ()):
        workspace = Workspace.open(folder, [*fixed, *sets])
        release = build(Store(workspace.root, SilentReporter()), workspace)["release"]
        register_release(workspace, release, "oda")
        refs.append(release.ref)
    with Workspace.open(folder).open_ledger() as ledger:
        for fund in ("国内株式F", FUND):
            ledger.add_draft(NewDraft(DRAFT, "青葉", fund, "market", "2026-10", "paste", fund))
    return House(folder, *refs)


def _people(ledger: Ledger) -> None:
    ledger.add_person("sato", "佐藤", ("writer", "reviewer"))
    ledger.add_person("tanaka", "田中", ("writer", "reviewer"))
    ledger.add_person("kuroda", "黒田", ("approver",))
    ledger.add_person("abe", "阿部", ("approver",))
    ledger.add_person("mori", "森", ("auditor",))
    ledger.add_person("oda", "小田", ("engineer",))
