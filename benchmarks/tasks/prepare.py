"""Turn a public data set into pairs for one of the task files beside this script.

    python benchmarks/tasks/prepare.py chabsa FOLDER_OF_THE_DATA NEW_FOLDER
    python benchmarks/tasks/prepare.py economy_watchers FOLDER_OF_THE_DATA NEW_FOLDER

NEW_FOLDER then holds a workspace: the task file, its instruction and data/pairs.jsonl. Neither data set tells months
that could part lessons from exam, so the newest months are given to whole reports (chabsa) and to whole regions
(economy_watchers): nothing of a report or region stands on both sides.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LESSONS, EXAM = 240, 80
HERE = Path(__file__).parent
POLARITY = {"positive": "良い", "negative": "悪い", "neutral": "中立"}


def chabsa(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Of each labelled opinion: its report, a number, the sentence with the target, and the polarity."""
    for path in sorted(folder.glob("*_ann.json")):
        held = json.loads(path.read_text(encoding="utf-8"))
        for sentence in held["sentences"]:
            for number, opinion in enumerate(sentence["opinions"]):
                key = f"{path.stem}-{sentence['sentence_id']}-{number}"
                draft = f"対象: {opinion['target']}\n文: {sentence['sentence']}"
                yield path.stem, key, draft, POLARITY[opinion["polarity"]]


def economy_watchers(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Of each comment on the present: its region, a number, the comment, and the judgement (◎○□▲×)."""
    for path in sorted((folder / "current").glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            text = row["追加説明及び具体的状況の説明"].strip()
            if text:
                yield row["地域"], row["id"], text, row["景気の現状判断"]


def main(task: str, data: Path, out: Path) -> None:
    """Write the workspace."""
    found = list({"chabsa": chabsa, "economy_watchers": economy_watchers}[task](data))
    groups = list(dict.fromkeys(group for group, *_ in found))
    last = set(groups[-max(2, len(groups) // 4) :])
    sides: list[tuple[str, list[Any], int]] = [
        ("2020-01", [row for row in found if row[0] not in last], LESSONS),
        ("2020-12", [row for row in found if row[0] in last], EXAM),
    ]
    (out / "data").mkdir(parents=True, exist_ok=True)
    for name in ("tensaku.toml", "instruction.md"):
        shutil.copyfile(HERE / task / name, out / name)
    (out / "names.toml").write_text("[names]\n", encoding="utf-8")
    with (out / "data" / "pairs.jsonl").open("w", encoding="utf-8") as file:
        for month, rows, wanted in sides:
            for at in range(min(wanted, len(rows))):
                group, key, draft, final = rows[at * len(rows) // min(wanted, len(rows))]
                row = {"id": key, "draft": draft, "final": final, "manager": group, "fund": task}
                row |= {"section": "market", "as_of": month, "family": group}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
