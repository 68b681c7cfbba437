"""Make pairs for a task file beside this script: of a public data set, or (translation) of invented sentences.

    python benchmarks/tasks/prepare.py chabsa NEW_FOLDER FOLDER_OF_THE_DATA
    python benchmarks/tasks/prepare.py chabsa_json NEW_FOLDER FOLDER_OF_THE_DATA
    python benchmarks/tasks/prepare.py economy_watchers NEW_FOLDER FOLDER_OF_THE_DATA
    python benchmarks/tasks/prepare.py translation NEW_FOLDER

NEW_FOLDER then holds a workspace: the task file, its instruction and data/pairs.jsonl. Neither data set tells months
that could part lessons from exam, so the newest months are given to whole reports (chabsa, chabsa_json) and to whole
regions (economy_watchers): nothing of a report or region stands on both sides.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LESSONS, EXAM = 240, 80
MORE_LESSONS, MORE_EXAM = 850, 218
"""Of economy_watchers: all lessons of every answer but the commonest, and every comment of the exam's regions."""
HERE = Path(__file__).parent
POLARITY = {"positive": "良い", "negative": "悪い", "neutral": "中立"}
JUDGEMENT = {
    "◎": "良い",
    "○": "やや良い",
    "□": "どちらとも言えない",
    "▲": "やや悪い",
    "×": "悪い",
}
"""The survey's signs in words: a model knows what words mean before it is taught anything."""


class Row(NamedTuple):
    """A pair to be: what it belongs to, its number, its two sides, and what else goes wrong together with it."""

    group: str
    key: str
    draft: str
    final: str
    family: str = ""


def chabsa(folder: Path) -> Iterator[Row]:
    """Of each labelled opinion: its report, a number, the sentence with the target, and the polarity."""
    for path in sorted(folder.glob("*_ann.json")):
        held = json.loads(path.read_text(encoding="utf-8"))
        for sentence in held["sentences"]:
            for number, opinion in enumerate(sentence["opinions"]):
                key = f"{path.stem}-{sentence['sentence_id']}-{number}"
                draft = f"対象: {opinion['target']}\n文: {sentence['sentence']}"
                yield Row(path.stem, key, draft, POLARITY[opinion["polarity"]], path.stem)


def chabsa_json(folder: Path) -> Iterator[Row]:
    """Of each sentence with labelled opinions: its report, a number, the sentence, and its targets by polarity."""
    for path in sorted(folder.glob("*_ann.json")):
        held = json.loads(path.read_text(encoding="utf-8"))
        for sentence in held["sentences"]:
            found: dict[str, list[str]] = {}
            for opinion in sentence["opinions"]:
                found.setdefault(POLARITY[opinion["polarity"]], []).append(opinion["target"])
            if found:
                key = f"{path.stem}-{sentence['sentence_id']}"
                yield Row(path.stem, key, sentence["sentence"], json.dumps(found, ensure_ascii=False), path.stem)


def economy_watchers(folder: Path) -> Iterator[Row]:
    """Of each comment on the present: its region, a number, trade, ground and comment, and the judgement in words."""
    for path in sorted((folder / "current").glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            text = row["追加説明及び具体的状況の説明"].strip()
            if text:
                draft = f"業種: {row['業種・職種']}\n理由: {row['判断の理由']}\n説明: {text}"
                yield Row(row["地域"], row["id"], draft, JUDGEMENT[row["景気の現状判断"]])


def translation() -> dict[str, list[Row]]:
    """Month -> comments in Japanese and English: twelve months of lessons, and an exam that repeats none of them.

    Each comment of the exam has one part, in turn market, cause and outlook, that no lesson has.
    """
    moulds = tomllib.loads((HERE / "translation" / "sentences.toml").read_text(encoding="utf-8"))
    dice, seen = random.Random(7), set[str]()
    new: list[tuple[str, Sequence[tuple[str, str]]]] = list(moulds.pop("exam").items())
    found: dict[str, list[Row]] = {}
    for month, size in [*((f"2025-{n:02d}", LESSONS // 12) for n in range(1, 13)), ("2026-06", EXAM)]:
        rows = found.setdefault(month, [])
        while len(rows) < size:
            part = [new[len(rows) % len(new)]] if month == "2026-06" else []
            japanese, english = comment(dice, {**moulds, **dict(part)})
            if japanese not in seen:
                seen.add(japanese)
                rows.append(Row(month, f"{month}-{len(rows):03d}", japanese, english))
    return found


def comment(dice: random.Random, moulds: Mapping[str, Sequence[tuple[str, str]]]) -> tuple[str, str]:
    """One invented comment in both languages."""
    market, move, cause, outlook = (dice.choice(moulds[name]) for name in ("markets", "moves", "causes", "outlooks"))
    figure = f"{dice.randrange(1, 90) / 10:.1f}"
    moved = move[1].replace("was", "were") if market[1].endswith("s") else move[1]
    japanese = f"{market[0]}は、{cause[0]}、{move[0].format(x=figure)}。{outlook[0]}"
    return japanese, f"{market[1]} {moved.format(x=figure)} {cause[1]}. {outlook[1]}"


def spread(rows: Sequence[Row], wanted: int) -> list[Row]:
    """`wanted` of the rows, or all, at even distances."""
    n = min(wanted, len(rows))
    return [rows[at * len(rows) // n] for at in range(n)]


def level(rows: Sequence[Row], wanted: int) -> list[Row]:
    """`wanted` of the rows, or fewer, of every answer as many as there are up to the same number."""
    answers = sorted({row.final for row in rows}, key=lambda final: sum(row.final == final for row in rows))
    taken: list[Row] = []
    for left, answer in zip(range(len(answers), 0, -1), answers, strict=True):
        taken += spread([row for row in rows if row.final == answer], (wanted - len(taken)) // left)
    random.Random(1).shuffle(taken)
    return taken


def write(out: Path, task: str, sides: dict[str, list[Row]]) -> None:
    """Write the workspace.

    Args:
        sides: month -> its pairs; the newest one is the exam.
    """
    (out / "data").mkdir(parents=True, exist_ok=True)
    for name in ("tensaku.toml", "instruction.md"):
        shutil.copyfile(HERE / task / name, out / name)
    (out / "names.toml").write_text("[names]\n", encoding="utf-8")
    with (out / "data" / "pairs.jsonl").open("w", encoding="utf-8") as file:
        for month, rows in sides.items():
            for row in rows:
                held = {"id": row.key, "draft": row.draft, "final": row.final, "manager": row.group, "fund": task}
                held |= {"section": "market", "as_of": month, "family": row.family or row.key}
                file.write(json.dumps(held, ensure_ascii=False) + "\n")


def main(task: str, out: Path, data: Path | None = None) -> None:
    """Make the pairs of a task and write its workspace."""
    if task == "translation":
        write(out, task, translation())
        return
    if data is None or not data.is_dir():
        sys.exit(f"There is no folder of the data: {data}. Name it after the new folder.")
    readers = {"chabsa": chabsa, "chabsa_json": chabsa_json, "economy_watchers": economy_watchers}
    found = list(readers[task](data))
    groups = list(dict.fromkeys(row.group for row in found))
    last = set(groups[-max(2, len(groups) // 4) :])
    lessons, exam = [[row for row in found if (row.group in last) == newest] for newest in (False, True)]
    if task == "economy_watchers":
        taken, asked = level(lessons, MORE_LESSONS), spread(exam, MORE_EXAM)
    else:
        taken, asked = spread(lessons, LESSONS), spread(exam, EXAM)
    write(out, task, {"2020-01": taken, "2020-12": asked})


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
