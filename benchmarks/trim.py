"""What trimming a vocabulary costs in tokens: the share of lines cut exactly as before, and how much longer they get.

    python benchmarks/trim.py MODEL DATA [--first 20000 50000 100000] [--keep ja en ja+en]

MODEL is a folder in Hugging Face form (a sealed `base` is one). DATA holds published texts in folders of their own, any
of which may be missing: `fomc_statements` (English, joined to sentences), `chabsa`, `jglue` and `keigo_transfer`
(Japanese, marks of the data set left out). They are measured and never decide what is kept: the rules do, and the
sample desk's pairs and instruction, as in the stage. The rows marked + take the earlier half of the English statements
as lessons too, and every row measures the later half only. Prints a table and, last, one JSON line.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer

from tensaku import sampledesk
from tensaku.models.trim import trim_tokenizer
from tensaku.models.trim_keep import FIRST, Language, keep_list, read_tokenizer


def statements(data: Path) -> list[list[str]]:
    """The sentences of each English statement, the oldest first."""
    found = []
    for path in sorted((data / "fomc_statements" / "statements").glob("*.txt")):
        paragraphs = re.split(r"\n\s*\n", path.read_text(encoding="utf-8", errors="replace"))
        joined = (" ".join(paragraph.split()) for paragraph in paragraphs)
        found.append([s for paragraph in joined for s in re.split(r"(?<=[.;]) ", paragraph) if s])
    return found


def japanese(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and lines of every Japanese text that is there."""
    reports = sorted((data / "chabsa").glob("*_ann.json"))
    if reports:
        read = (json.loads(path.read_text(encoding="utf-8")) for path in reports)
        yield "chabsa", [row["sentence"] for report in read for row in report["sentences"]]
    path = data / "jglue" / "jsquad-first30.json"
    if path.exists():
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        passages = [p for article in articles for p in article["paragraphs"]]
        yield (
            "jglue",
            [t for p in passages for t in (*p["context"].split(" [SEP] "), *(q["question"] for q in p["qas"]))],
        )
    path = data / "keigo_transfer" / "annot_data_1.csv"
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            yield "keigo", [text for row in csv.reader(file) for text in row[:2]][2:]


def own_texts() -> list[str]:
    """What the stage would be given for the sample desk."""
    folder = sampledesk.folder()
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = [row[name] for row in rows for name in ("draft", "final", "fund", "manager")]
    return [(folder / "instruction.md").read_text(encoding="utf-8"), *texts]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--first", type=int, nargs="+", default=[FIRST])
    parser.add_argument("--keep", nargs="+", default=["ja", "en", "ja+en"])
    given = parser.parse_args()
    tokenizer = read_tokenizer(given.model / "tokenizer.json")
    whole, english = Tokenizer.from_str(json.dumps(tokenizer)), statements(given.data)
    early = [s for one in english[: len(english) // 2] for s in one]
    sets = dict(japanese(given.data)) | ({"fomc": [s for one in english[len(english) // 2 :] for s in one]})
    before = {name: [e.ids for e in encode(whole, lines)] for name, lines in sets.items() if lines}
    print("| keep | first | words |" + "".join(f" {n} as before | longer |" for n in before))
    print("| --- | --- | --- |" + " --- | --- |" * len(before))
    rows = []
    for keep, first, texts in plans(given.keep, given.first, early):
        began = time.perf_counter()
        ids = keep_list(tokenizer, cast("Language", keep.removesuffix("+")), [*own_texts(), *texts], first=first)
        small = Tokenizer.from_str(json.dumps(trim_tokenizer(tokenizer, ids)))
        row: dict[str, Any] = {"keep": keep, "first": first, "words": len(ids)}
        row["seconds"] = round(time.perf_counter() - began, 1)
        for name, old in before.items():
            new = [[ids[number] for number in e.ids] for e in encode(small, sets[name])]
            row[name] = {
                "as_before": sum(a == b for a, b in zip(old, new, strict=True)) / len(old),
                "longer": sum(map(len, new)) / sum(map(len, old)) - 1,
            }
        rows.append(row)
        cells = "".join(f" {row[n]['as_before']:.1%} | {row[n]['longer']:.2%} |" for n in before)
        print(f"| {keep} | {first if 'en' in keep else ''} | {len(ids):,} |{cells}", flush=True)
    print(json.dumps({"model": str(given.model), "vocabulary": whole.get_vocab_size(), "rows": rows}))


def plans(keeps: list[str], firsts: list[int], early: list[str]) -> Iterator[tuple[str, int, list[str]]]:
    """Every row of the table: what to keep by rule, the bound for letters, and texts beside the desk's own."""
    for keep in keeps:
        for first in firsts if "en" in keep else firsts[:1]:
            yield keep, first, []
            if "en" in keep and early:
                yield f"{keep}+", first, early


def encode(core: Tokenizer, lines: list[str]) -> Any:
    """Every line by itself."""
    return core.encode_batch(lines, add_special_tokens=False)


if __name__ == "__main__":
    main()
