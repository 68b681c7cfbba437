"""Puts the desk on disk: pairs, this month's drafts, the old system's faulty export, and the table of names."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from tensaku.records import Pair, to_dict
from tensaku.sampledesk.content import funds
from tensaku.sampledesk.desk import Desk, build
from tensaku.sampledesk.voices import voices

__all__ = ["NAMES", "names_toml", "old_system", "write"]

NAMES: dict[str, tuple[str, ...]] = {
    "日本銀行": ("日本銀行", "日銀"),
    "米連邦準備制度理事会": ("米連邦準備制度理事会（FRB）", "米連邦準備制度理事会", "米連銀", "FRB", "Fed"),
    "欧州中央銀行": ("欧州中央銀行（ECB）", "欧州中央銀行", "ECB"),
    "連邦公開市場委員会": ("連邦公開市場委員会（FOMC）", "連邦公開市場委員会", "FOMC"),
    "日経平均株価": ("日経平均株価", "日経平均"),
    "S&P500種株価指数": ("S&P500種株価指数", "S&P500"),
    "TOPIX": ("TOPIX",),
    "東証REIT指数": ("東証REIT指数",),
    "原油先物価格": ("原油先物価格",),
    "ベンチマーク": ("ベンチマーク", "参考指数", "ベンチ", "BM"),
    "消費者物価指数": ("消費者物価指数（CPI）", "消費者物価指数", "CPI"),
}
"""Canonical name -> forms in which it is written."""

_COLUMNS = ("id", "draft", "final", "manager", "fund", "section", "as_of", "family")


def write(target: Path) -> list[Path]:
    """Writes all generated files into `target` and returns their paths."""
    desk = build()
    contents = {
        "pairs.jsonl": "".join(_line(p, True) for p in desk.pairs).encode(),
        "drafts.jsonl": "".join(_line(p, False) for p in desk.drafts).encode(),
        "old-system.csv": old_system(desk),
        "names.toml": names_toml().encode(),
    }
    paths = []
    for name, data in contents.items():
        (target / name).write_bytes(data)
        paths.append(target / name)
    return paths


def _line(pair: Pair, with_final: bool) -> str:
    row = to_dict(pair)
    del row["source"]
    if not with_final:
        del row["final"]
    return json.dumps(row, ensure_ascii=False) + "\n"


def names_toml() -> str:
    """The table of names as TOML."""
    rows = list(NAMES.items())
    rows += [(f.name, (f.name,)) for f in funds()] + [(v.name, (v.name,)) for v in voices()]
    head = "# 名称と表記。左が正式な名称、右が原稿に現れる表記。\n\n[names]\n"
    return head + "".join(
        f"{json.dumps(n, ensure_ascii=False)} = {json.dumps(f, ensure_ascii=False)}\n" for n, f in rows
    )


def old_system(desk: Desk) -> bytes:
    """The old system's export in Shift_JIS: thirty rows, each faulty in a way that curation must notice."""
    older = [p for p in desk.pairs if p.as_of < "2025-10"]
    rows: list[list[str]] = []

    def add(pair: Pair, kind: str, **changed: str) -> None:
        number = len(rows) + 1
        values = to_dict(pair) | {"id": f"old-{number:02d}-{kind}"} | changed
        rows.append([values[c] for c in _COLUMNS])

    for pair in older[5:400:50]:
        add(pair, "copy")
    for pair in older[11:200:60]:
        add(pair, "no-draft", draft="")
    for pair in older[17:200:60]:
        add(pair, "no-final", final="")
    for pair in older[23:250:60]:
        add(pair, "same", draft=pair.final)
    for pair, other in zip(older[29:200:50], older[31:200:50], strict=True):
        add(pair, "twin", final=other.final)
    for pair in older[37:240:50]:
        add(pair, "width", draft=_squeezed(pair.draft))
    return _csv(rows, short=older[300])


_HALF = {unicodedata.normalize("NFKC", chr(c)): chr(c) for c in range(0xFF66, 0xFF9E)} | {"\u3099": "ﾞ", "\u309a": "ﾟ"}


def _squeezed(text: str) -> str:
    """`text` as the old terminal kept it: half-width katakana and digits; NFKC brings the draft's meaning back."""
    out = []
    for char in unicodedata.normalize("NFKC", text).replace("%", "％"):
        parts = unicodedata.normalize("NFD", char) if "ァ" <= char <= "ヶ" else char
        out.append("".join(_HALF.get(part, part) for part in parts))
    return "".join(out)


def _csv(rows: Sequence[Sequence[str]], short: Pair) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    writer.writerow([f"old-{len(rows) + 1:02d}-cut", short.draft, short.final, short.manager])
    return out.getvalue().encode("cp932")
