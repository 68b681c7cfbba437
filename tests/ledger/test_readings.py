"""Blind readings: what is laid out, who reads what in which order, and votes that stay."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import Ledger, NewComparison
from tensaku.ledger.readings import turned

ONE = NewComparison("exam-1", "p1", "ファンド", "market", "2026-10", "原稿。", "api", "一つめ。", "lora", "二つめ。")


def laid_out(ledger: Ledger, n: int) -> None:
    assert ledger.add_comparisons([replace(ONE, item=f"p{k}") for k in range(n)], "sato") == n


def test_what_is_laid_out_again_stays_as_it_is(ledger: Ledger) -> None:
    laid_out(ledger, 3)
    assert ledger.add_comparisons([replace(ONE, item=f"p{k}") for k in range(4)], "sato") == 1
    assert ledger.add_comparisons([replace(ONE, item="p0", two_text="書き直した。")], "sato") == 1
    assert len(ledger.comparisons()) == 5


@pytest.mark.parametrize(
    ("change", "what"),
    [({"two": "api"}, "with itself"), ({"one_text": " "}, "empty"), ({"draft": "a\x00"}, "cannot be stored")],
)
def test_what_cannot_be_read_is_not_laid_out(ledger: Ledger, change: dict[str, str], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        ledger.add_comparisons([ONE, replace(ONE, **change)], "sato")
    assert ledger.comparisons() == []


def test_each_person_sees_both_orders_equally_often_and_everything_once(ledger: Ledger) -> None:
    laid_out(ledger, 10)
    orders = {}
    for person in ("sato", "tanaka"):
        left: Counter[str] = Counter()
        read: list[str] = []
        while (seen := ledger.reading(person)).next is not None:
            assert (seen.read, seen.total) == (len(read), 10)
            vote = ledger.add_vote(seen.next.id, "left", person)
            assert vote.left == (seen.next.two if seen.turned else seen.next.one)
            assert vote.left_text == (seen.next.two_text if seen.turned else seen.next.one_text)
            left[vote.left] += 1
            read.append(seen.next.item)
        assert left == {"api": 5, "lora": 5}
        assert sorted(read) == [f"p{k}" for k in range(10)]
        orders[person] = read
    assert orders["sato"] != orders["tanaka"]
    people = [f"person{n}" for n in range(200)]
    assert 60 < sum(turned(person, 0) for person in people) < 140  # the first order differs from person to person


def test_a_newer_vote_counts_and_the_older_one_stays_in_the_log(ledger: Ledger) -> None:
    laid_out(ledger, 1)
    first = ledger.add_vote(1, "left", "sato", reason=" 数字が正しい。 ")
    assert first.reason == "数字が正しい。"
    assert ledger.add_vote(1, "left", "sato", reason="数字が正しい。").id == first.id  # sent twice
    ledger.add_vote(1, "tie", "sato")
    ledger.add_vote(1, "right", "tanaka")
    assert [(vote.by, vote.winner) for vote in ledger.votes()] == [("sato", "tie"), ("tanaka", "right")]
    assert [entry.what for entry in ledger.log()].count("comparison.judged") == 3
    assert ledger.verify_records() == []
    assert ledger.verify_log() is None


READER = """
import os, sys
from tensaku.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    while (seen := ledger.reading("sato")).next is not None:
        vote = ledger.add_vote(seen.next.id, "left", "sato")
        os.write(1, f"{vote.comparison_id}\\n".encode())
"""


def test_a_reader_who_is_killed_loses_no_vote_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        ledger.add_person("sato", "佐藤")
        laid_out(ledger, 40)
    acknowledged: list[int] = []
    for answers in (3, 7, 12):
        run = [sys.executable, "-W", "error", "-c", READER, str(path)]
        with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout is not None
            acknowledged += [int(reader.stdout.readline()) for _ in range(answers)]
            reader.kill()  # SIGKILL
            acknowledged += [int(line) for line in reader.stdout.read().splitlines()]
            assert reader.wait() == -signal.SIGKILL, "it ended by itself: nothing was tested"
        with Ledger.open(path) as ledger:
            kept = [vote.comparison_id for vote in ledger.votes()]
            assert len(kept) == len(set(kept))  # nothing was asked twice
            assert set(acknowledged) <= set(kept)
            assert len(kept) <= len(acknowledged) + 3  # one for each kill may have come too late to be told
            assert ledger.verify_log() is None
            assert ledger.verify_records() == []


def test_an_altered_vote_is_found(ledger: Ledger) -> None:
    from sqlalchemy import text

    laid_out(ledger, 1)
    vote = ledger.add_vote(1, "left", "sato")
    with ledger._engine.begin() as connection:
        connection.execute(text("UPDATE votes SET winner = 'right'"))
    assert [found.subject for found in ledger.verify_records()] == [f"vote:{vote.id}"]


def test_votes_that_cannot_be_kept(ledger: Ledger) -> None:
    laid_out(ledger, 1)
    with pytest.raises(UsageError, match="no vote"):
        ledger.add_vote(1, "both", "sato")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"2,001 characters"):
        ledger.add_vote(1, "left", "sato", reason="あ" * 2001)
    with pytest.raises(NotFound, match="comparison"):
        ledger.add_vote(2, "left", "sato")
    with pytest.raises(NotFound, match="person"):
        ledger.add_vote(1, "left", "nobody")
    with pytest.raises(NotFound, match="person"):
        ledger.reading("nobody")
    assert ledger.votes() == []
