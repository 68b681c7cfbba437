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
    counts = finding.edits.counts
    assert counts.right > 0
    assert (counts.wrong, counts.missed, counts.needless) == (0, 0, 0)
    assert finding.edits.overdone == finding.edits.strokes == 0
    assert finding.fates == finding.reordered == ()


def test_the_untouched_draft_misses_every_edit() -> None:
    finding = found(PAIR.draft)
    counts = finding.edits.counts
    assert not finding.exact
    assert counts.missed > 0
    assert (counts.right, counts.wrong, counts.needless) == (0, 0, 0)
    assert finding.edits.strokes > 0


def test_a_needless_edit_is_counted() -> None:
    finding = found(PAIR.final.replace("堅調に", "軟調に"))
    assert finding.edits.counts.needless == 1
    assert finding.edits.overdone == 2
    assert not finding.exact


def test_a_figure_that_changed_is_one_fact_and_both_places_are_told() -> None:
    finding = found(PAIR.final.replace("1.2", "9.9"))
    [fate] = finding.fates
    assert fate.what == "changed"
    assert fate.draft is not None
    assert fate.output is not None
    assert "1.2" in PAIR.draft[fate.draft.start : fate.draft.end]
    assert "9.9" in PAIR.final.replace("1.2", "9.9")[fate.output.start : fate.output.end]


def test_a_lost_fact_and_an_added_one_in_other_places_stay_two() -> None:
    draft = "騰落率は1.2%となった。円安が進んだ。株価は堅調であった。"
    output = "騰落率は公表していない。円安が進んだ。株価は3.4%堅調であった。"
    pair = replace(PAIR, draft=draft, final=draft)
    kinds = sorted((fate.what, fate.kind) for fate in find(pair, output, text.compare(draft, output)).fates)
    assert kinds == [("added", "negation"), ("added", "percent"), ("lost", "percent")]


def test_the_house_style_before_and_after() -> None:
    rules = text.style_from('[[rule]]\nname = "敬体"\npattern = "ました。"', "style.toml")
    before = find(PAIR, PAIR.draft, text.compare(PAIR.draft, PAIR.draft), rules)
    after = find(PAIR, PAIR.final, text.compare(PAIR.draft, PAIR.final), rules)
    assert len(before.style) == PAIR.draft.count("ました。")
    assert len(after.style) == PAIR.final.count("ました。")
    assert summary([before])["style"] == ({"敬体": len(before.style)} if before.style else {})


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
    table = fact_table([PAIR.draft] * 2, [finding.fates for finding in findings], {})
    assert table["percent"] == {"facts": 2, "kept": 1, "lost": 0, "changed": 1, "added": 0}


def test_an_empty_output_is_a_finding_like_any_other() -> None:
    finding = found("")
    assert not finding.verdict.kept
    assert len(finding.dropped) > 0
