"""Pairs in files: what is written can be read, in whole or in part, and the quick way of writing changes nothing."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensaku.curate.rows import JsonlWriter
from tensaku.curate.shards import SHARD, Shards, write_shards
from tensaku.records import Drop, Pair, to_dict

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\x00\x7f\x85\u2028\u2029'), max_size=9)
PAIRS = st.builds(Pair, *[TEXTS] * 9)


def pair(n: int) -> Pair:
    return Pair(
        f"n{n}", f"株は{n}円。", f"株式は{n}円でした。", "甲", "乙", "market", "2026-06", f"f{n}", f"a.jsonl:{n}"
    )


@given(st.lists(st.one_of(PAIRS, PAIRS.map(lambda one: replace(one, weight=0.25))), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pairs_come_back_as_they_were_one_a_line(tmp_path: Path, pairs: list[Pair]) -> None:
    with JsonlWriter(tmp_path / "pairs.jsonl") as file:
        for one in pairs:
            file.write(one)
    text = (tmp_path / "pairs.jsonl").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert [json.loads(line) for line in lines] == [to_dict(one) for one in pairs]
    assert [*Shards(write_shards(tmp_path, pairs), tmp_path)] == pairs


def test_what_is_no_text_or_half_a_character_is_written_all_the_same(tmp_path: Path) -> None:
    odd = replace(pair(1), fund=7, draft="\ud800")  # type: ignore[arg-type]
    with JsonlWriter(tmp_path / "odd.jsonl") as file:
        for record in (odd, Drop("long", "a:1", "why", {"draft": "x"}), {"a": [1]}):
            file.write(record)
    rows = [json.loads(line) for line in (tmp_path / "odd.jsonl").read_text(encoding="utf-8").splitlines()]
    drop = {"reason": "long", "source": "a:1", "detail": "why", "row": {"draft": "x"}, "partner": ""}
    assert rows == [{**to_dict(pair(1)), "fund": 7, "draft": "\ud800"}, drop, {"a": [1]}]


@pytest.mark.parametrize(
    "places",
    [[], [0], [SHARD - 1, SHARD], [2 * SHARD + 6], [1, 5, 2 * SHARD, 2 * SHARD + 1], range(2 * SHARD + 7)],
    ids=["none", "first", "both sides of a border", "last", "a shard without any", "all"],
)
def test_pairs_at_some_places(tmp_path: Path, places: Sequence[int]) -> None:
    rows = Shards(write_shards(tmp_path, map(pair, range(2 * SHARD + 7))), tmp_path)
    assert [*rows.at(np.array(places, np.int64))] == [pair(place) for place in places]
