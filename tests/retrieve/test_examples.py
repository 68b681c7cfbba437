from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tensaku.errors import UsageError
from tensaku.records import Pair
from tensaku.retrieve import Examples
from tensaku.testing import tiny_pairs

PAIRS = tuple(tiny_pairs(12))


def write(folder: Path, prompt: object, pairs: tuple[Pair, ...] = PAIRS) -> Path:
    (folder / "prompt.json").write_text(json.dumps(prompt), encoding="utf-8")
    lines = (json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)
    (folder / "examples.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def test_the_nearest_stands_next_to_the_draft_or_first() -> None:
    asked = PAIRS[5]
    last = Examples(PAIRS, 3).nearest(asked.draft, asked.section, asked.fund)
    first = Examples(PAIRS, 3, "nearest-first").nearest(asked.draft, asked.section, asked.fund)
    assert last[-1] == first[0] == asked
    assert last == first[::-1]
    assert len(last) == 3
    assert Examples(PAIRS, 3).without_farthest(last) == last[1:]
    assert Examples(PAIRS, 3, "nearest-first").without_farthest(first) == first[:-1]


def test_section_and_fund_decide_between_equal_drafts() -> None:
    same = tuple(replace(pair, draft="市場は上昇した。") for pair in PAIRS)
    (found,) = Examples(same, 1).nearest("市場は上昇した。", PAIRS[4].section, PAIRS[4].fund)
    assert (found.section, found.fund) == (PAIRS[4].section, PAIRS[4].fund)


def test_a_family_is_quoted_once() -> None:
    twice = (*PAIRS, replace(PAIRS[5], id="again", draft=PAIRS[5].draft + "以上。"))
    found = Examples(twice, 5).nearest(PAIRS[5].draft, PAIRS[5].section, PAIRS[5].fund)
    assert len({pair.family for pair in found}) == len(found) == 5
    assert found[-1].id == PAIRS[5].id


def test_as_many_as_there_are() -> None:
    asked = PAIRS[0]
    assert len(Examples(PAIRS, 40).nearest(asked.draft, asked.section, asked.fund)) == len({p.family for p in PAIRS})
    assert Examples(PAIRS, 0).nearest(asked.draft, asked.section, asked.fund) == []
    assert Examples((), 4).nearest(asked.draft, asked.section, asked.fund) == []


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    odd = (replace(PAIRS[0], draft="一行\u2028目"), *PAIRS[1:])
    found = Examples.load(write(tmp_path, {"k": 2, "order": "nearest-first", "more": []}, odd))
    assert (found.pairs, found.k, found.order) == (odd, 2, "nearest-first")


@pytest.mark.parametrize(
    ("prompt", "what"),
    [
        ({"k": -1, "order": "nearest-last"}, "k is -1"),
        ({"k": True, "order": "nearest-last"}, "k is True"),
        ({"k": 1, "order": "middle"}, "order 'middle'"),
        ([], "not a JSON object"),
    ],
)
def test_a_prompt_that_is_none(tmp_path: Path, prompt: object, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        Examples.load(write(tmp_path, prompt))


def test_files_that_are_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no prompt\.json"):
        Examples.load(tmp_path)
    write(tmp_path, {"k": 1, "order": "nearest-last"})
    with (tmp_path / "examples.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "x"}\n')
    with pytest.raises(UsageError, match=r"examples\.jsonl, line 13: this is no pair"):
        Examples.load(tmp_path)
    (tmp_path / "examples.jsonl").unlink()
    with pytest.raises(UsageError, match="the examples cannot be read"):
        Examples.load(tmp_path)
    (tmp_path / "prompt.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="not readable as JSON"):
        Examples.load(tmp_path)
