"""Facts, sentences and edits of single outputs."""

from __future__ import annotations

from dataclasses import replace

from tensaku import text
from tensaku.evaluate.findings import fact_table, find, summary
from tensaku.testing import tiny_pairs

PAIR = tiny_pairs(1)[0]


def found(output: str, final: str = PAIR.final):  # type: ignore[no-untyped-def]
    return find(replace(PAIR, final=final), output, text.compare(PAIR.draft, output))


def test_the_reference_itself_is_faultless() -> None:
    finding = found(PAIR.final)
    assert finding.exact
    assert finding.whole
    assert finding.edits.wanted == finding.edits.made == finding.edits.right > 0
    assert finding.edits.missed == finding.edits.needless == 0


def test_the_untouched_draft_misses_every_edit() -> None:
    finding = found(PAIR.draft)
    assert not finding.exact
    assert finding.edits.made == 0
    assert finding.edits.missed == finding.edits.wanted > 0


def test_a_needless_edit_is_counted() -> None:
    finding = found(PAIR.final.replace("堅調に", "軟調に"))
    assert finding.edits.needless == 1
    assert not finding.exact


def test_dropped_and_doubled_sentences() -> None:
    first, rest = PAIR.final.split("。", 1)
    assert [s.strip() for s in found(rest).dropped] == [first + "。"]
    assert len(found(PAIR.final + first + "。").doubled) == 1


def test_what_the_house_says_twice_may_be_said_twice() -> None:
    twice = PAIR.final + PAIR.final.split("。", 1)[0] + "。"
    assert found(twice, final=twice).doubled == ()


def test_the_sums_of_a_row() -> None:
    changed = PAIR.final.replace("1.2", "9.9")
    findings = [found(PAIR.final), found(changed)]
    held = summary(findings)
    assert (held["facts_kept"], held["exact"], held["n"]) == (0.5, 0.5, 2)
    table = fact_table([PAIR.draft] * 2, [finding.verdict for finding in findings], {})
    assert table["percent"] == {"facts": 2, "missing": 1, "added": 1}


def test_an_empty_output_is_a_finding_like_any_other() -> None:
    finding = found("")
    assert not finding.verdict.kept
    assert len(finding.dropped) > 0
