"""What spoils an exam: published likenesses, copies found however they are dressed, the clean part, later months."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import tensaku.evaluate  # noqa: F401  (registers the scorers)
from tensaku.evaluate.discipline import CANARY, clean_scores, discipline, jaccard, look_ahead, overlaps, shingles
from tensaku.evaluate.results import Results
from tensaku.evaluate.scoring import Texts, measure_rows
from tensaku.plugins import scorers
from tensaku.testing import tiny_pairs

PAIRS = tiny_pairs(30)
LONG = (
    "当月の国内株式市場は、米国の金融政策を巡る思惑や為替の動きに左右される展開となり、前半は輸出関連株を中心に下落したものの、"
    "後半は企業業績への期待から買い戻しが優勢となって、月末にかけて上昇幅を広げて取引を終えました。"
)


def test_a_published_jaccard(real_data: Callable[[str], Path]) -> None:
    """The R package textreuse: two codes of procedure, runs of 7 words, 0.3842549; a third shares none with them."""
    folder = real_data("textreuse")
    files = {path.stem: path.read_text(encoding="utf-8") for path in folder.rglob("*.txt")}
    runs = {}
    for name in ("ca1851-match", "ny1850-match"):
        words = re.sub(r"[^\w\s]", "", files[name].lower()).split()
        runs[name] = {tuple(words[at : at + 7]) for at in range(len(words) - 6)}
    assert jaccard(*runs.values()) == pytest.approx(0.3842549, abs=0.02)


def test_copies_are_found_and_named() -> None:
    exam = [replace(PAIRS[n], id=f"e{n}", draft=f"{n}番めの原稿はこれだけ。", final=f"{n}番め。") for n in range(4)]
    exam[0] = replace(exam[0], final=LONG)
    exam[1] = replace(exam[1], final=LONG.replace("当月", "今月"))
    exam[2] = replace(exam[2], final="冒頭はまったく別の文章です。" + LONG[:60] + "結びも別の文章になっています。" * 5)
    lessons = [replace(PAIRS[9], id="taught", draft="無関係。", final="  " + LONG.replace("、", "、 "))]
    assert [(one.number, one.side, one.net, one.lesson) for one in overlaps(exam, lessons)] == [
        (0, "final", "exact", "taught"),
        (1, "final", "near", "taught"),
        (2, "final", "run", "taught"),
    ]
    assert overlaps(exam, []) == []
    assert overlaps(exam[3:], lessons) == []


def test_minhash_misses_no_near_copy() -> None:
    texts = [f"{pair.final}{pair.draft}{LONG[n:]}" for n, pair in enumerate(PAIRS)]
    exam = [replace(pair, final=text) for pair, text in zip(PAIRS, texts, strict=True)]
    lessons = [replace(pair, final=text + "以上です。") for pair, text in zip(PAIRS, texts, strict=True)]
    by_hand = {
        n
        for n, text in enumerate(texts)
        if max(jaccard(shingles(text), shingles(lesson.final)) for lesson in lessons) >= 0.8
    }
    assert by_hand
    assert {one.number for one in overlaps(exam, lessons) if one.side == "final" and one.net != "run"} >= by_hand


def test_scores_on_the_clean_part() -> None:
    outputs = [pair.final if n < 10 else pair.draft for n, pair in enumerate(PAIRS)]
    texts = Texts([p.draft for p in PAIRS], outputs, [p.final for p in PAIRS])
    measured = {"exact": measure_rows("exact", scorers.build({"scorer": "exact"})(), {"tuned": texts}, 100, 1)}
    caught = overlaps(PAIRS, PAIRS[:10])
    assert {one.number for one in caught if one.net == "exact"} >= set(range(10))
    found = clean_scores(caught, measured, len(PAIRS))
    assert found["exact"]["rows"]["tuned"]["exact"] == {
        "value": 0,
        "low": 0,
        "high": 0,
    }  # what scored was known from the lessons
    assert found["exact"]["n"] >= found["near"]["n"] >= found["run"]["n"]
    nothing = clean_scores([], measured, len(PAIRS))["run"]["rows"]["tuned"]["exact"]
    whole = measured["exact"].scores["tuned"]
    assert (nothing["value"], nothing["low"], nothing["high"]) == (whole.value, whole.low, whole.high)
    everything = clean_scores(overlaps(PAIRS, PAIRS), measured, len(PAIRS))
    assert everything["exact"] == {"n": 0, "caught": 30, "rows": {}}


def test_a_label_that_lessons_share_gives_nothing_away() -> None:
    labelled = [replace(pair, final="×" if n % 2 else "○") for n, pair in enumerate(PAIRS)]
    assert overlaps([replace(pair, draft=f"{pair.as_of} {n}") for n, pair in enumerate(labelled)], labelled) == []
    assert {one.side for one in overlaps(labelled, labelled)} == {"draft"}


def test_months_that_could_not_be_known() -> None:
    pairs = [
        replace(PAIRS[0], as_of="2026-03", draft="２０２６年５月に利上げがあった。", final="2026年3月の市場。"),
        replace(PAIRS[1], as_of="2026-03", draft="2026-02 と 2025年12月", final="2027/1 の予定、2026年13月"),
    ]
    assert [(one.number, one.side, one.month) for one in look_ahead(pairs)] == [
        (0, "draft", "2026-05"),
        (1, "final", "2027-01"),
    ]


def test_a_canary_in_the_lessons_is_counted() -> None:
    leaked = replace(PAIRS[20], draft=f"{CANARY} 0123 {PAIRS[20].draft}")
    found = discipline(PAIRS[:5], [leaked, PAIRS[21]], Results(PAIRS[:5], {}), "x")
    assert found["canaries_in_lessons"] == 1
    assert found["newer_lessons"] == sum(pair.as_of >= min(p.as_of for p in PAIRS[:5]) for pair in (leaked, PAIRS[21]))
