"""Forms, languages, lengths, heuristics, pairing, exams, blends: what each changes, drops and counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from importlib.resources import files as resource_files
from pathlib import Path

import pytest
from tests.curate.dedup.test_near import DATA
from tests.curate.test_steps import pairs, reasons, walk

from tensaku.curate.heuristics import RULES, faults
from tensaku.curate.language import language_of
from tensaku.curate.pairing import compared
from tensaku.curate.rows import PairFile
from tensaku.errors import DataError, UsageError


def test_only_the_named_side_is_brought_to_a_form() -> None:
    rows = pairs({"draft": "令和８年３月　ＴＯＰＩＸは①", "final": "令和８年３月　ﾊﾝｶｸ ｶﾅ"})
    (pair,), _, tally = walk("common-form", rows, final=["kana", "width", "era", "spaces"])
    assert pair.draft == rows[0].draft
    assert pair.final == "2026年3月ハンカクカナ"
    assert dict(+tally) == {"finals changed": 1}
    assert walk("common-form", rows, draft=["nfkc"])[0][0].draft == "令和8年3月 TOPIXは1"
    assert walk("common-form", pairs({"draft": "平成元年と令和元年"}), draft=["era"])[0][0].draft == "1989年と2019年"
    with pytest.raises(UsageError, match="no form is named"):
        walk("common-form", rows)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("運用状況", "ja"),
        ("TOPIXはFRBの発表後に上昇。", "ja"),
        ("The index rose after the announcement of the Fed.", "en"),
        ("市场在本月上涨，经济数据好于预期。", "zh"),
        ("시장은 이번 달에 상승했다.", "ko"),
        ("Der Markt ist im Monat gestiegen und die Zinsen fielen nicht.", "other"),
        ("12.3%", "none"),
    ],
)
def test_the_language_of_a_text(text: str, name: str) -> None:
    assert language_of(text) == name


def test_languages_of_sentences_made_by_others() -> None:
    folder = DATA / "lingua_langid"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    for name in ("ja", "en", "zh", "ko"):
        file = next(path for path in sorted(folder.rglob("*")) if "sentences" in str(path) and path.stem == name)
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        right = sum(language_of(line) == name for line in lines)
        assert right >= 0.95 * len(lines), (name, right, len(lines))


def test_a_side_in_another_language_goes() -> None:
    rows = pairs({}, {"final": "Stocks rose in the month."}, {"draft": "시장은 상승했다."})
    kept, dropped, tally = walk("language", rows)
    assert [pair.id for pair in kept] == ["p1"]
    assert reasons(dropped) == [("final-language", "a.csv:2"), ("draft-language", "a.csv:3")]
    assert tally["finals in en"] == 1


def test_lengths_and_ratios() -> None:
    rows = pairs({"draft": "短"}, {"final": "長" * 80}, {})
    assert reasons(walk("length", rows, draft=[2, 100])[1]) == [("draft-length", "a.csv:1")]
    assert reasons(walk("ratio", rows, most=10.5)[1]) == [("length-ratio", "a.csv:2")]


FAULTY = {
    "gopher-symbols": "上昇…下落…横…円…高…",
    "gopher-bullets": "・上昇\n・下落",
    "gopher-ellipses": "上昇...\n下落した。",
    "gopher-letters": "1 2 3 4 rise",
    "gopher-word-length": "a b c d",
    "gopher-repeated-lines": "上昇\n上昇\n下落",
    "gopher-repeated-line-characters": "長く上昇した\n長く上昇した\n下",
    "gopher-top-2-words": "good day good day good day bad",
    "gopher-top-3-words": "a good day a good day a good day x",
    "gopher-top-4-words": "it was a day it was a day it was a day",
    "gopher-repeated-5-words": "one two three four five one two three four five",
    "gopher-repeated-10-words": "a b c d e f g h i j a b c d e f g h i j",
    "c4-braces": "{x}",
    "c4-lorem-ipsum": "Lorem ipsum dolor",
    "c4-javascript": "Enable JavaScript.",
    "fineweb-unfinished-lines": "市場\n運用",
    "fineweb-repeated-line-characters": "上昇した\n上昇した\n下落したので長い行をここに書く",
    "fineweb-short-lines": "短い。\n短い行。",
}
SOUND = (
    "The fund rose by two percent in May because bond yields fell across Europe.\n"
    "We expect a calm summer season for equities."
)


@pytest.mark.parametrize("rule", list(RULES))
def test_each_rule_finds_its_fault_and_passes_sound_text(rule: str) -> None:
    assert faults(FAULTY[rule], [rule]) == [rule]
    assert faults(SOUND, [rule]) == []


def test_a_pair_that_fails_a_rule_goes_under_its_name() -> None:
    rows = pairs({"final": "{{会社名}}"}, {})
    assert reasons(walk("heuristics", rows, final=["c4-braces"])[1]) == [("c4-braces", "a.csv:1")]
    with pytest.raises(UsageError, match="Did you mean 'c4-braces'"):
        walk("heuristics", rows, final=["c4-brace"])
    with pytest.raises(UsageError, match="no rule is named"):
        walk("heuristics", rows)


def test_what_became_of_the_sentences() -> None:
    draft = "株式は大きく上昇した。債券は売られた。円安が進んだ。政策金利は据え置かれた。"
    final = "政策金利は据え置かれた。株式は大きく上昇した。債券は月末に売られた。見通しは明るい。"
    assert compared(draft, final) == (1, 1, 1, 1, 1)
    assert compared("", "") == (0, 0, 0, 0, 0)


def desk() -> list:  # type: ignore[type-arg]
    return list(PairFile(Path(str(resource_files("tensaku.sampledesk"))) / "pairs.jsonl"))[:200]


def test_swapped_finals_and_swapped_sides_are_found_in_the_sample_desk() -> None:
    rows = [replace(pair, source=f"d:{n}") for n, pair in enumerate(desk())]
    assert reasons(walk("pairing", rows)[1]) == []
    assert reasons(walk("sides", rows)[1]) == []
    texts = pairs(
        {"draft": "株式市場は好決算を受けて大幅に上昇した。", "final": "円は対ドルで下落し、輸入物価が上がった。"},
        {"draft": "円が対ドルで下落して輸入物価が上がった。", "final": "株式市場は好決算を受けて上昇しました。"},
        {"draft": "まったく別の話です。", "final": "ここには何も似たものがない"},
    )
    dropped = walk("pairing", [*rows, *texts])[1]
    assert reasons(dropped) == [("swapped-finals", "a.csv:1"), ("swapped-finals", "a.csv:2"), ("misaligned", "a.csv:3")]
    assert [drop.partner for drop in dropped] == ["a.csv:2", "a.csv:1", ""]
    turned = [replace(pair, draft=pair.final, final=pair.draft) if n < 10 else pair for n, pair in enumerate(rows)]
    dropped = walk("sides", turned)[1]
    assert {drop.source for drop in dropped} <= {f"d:{n}" for n in range(10)}
    assert len(dropped) >= 8


def test_an_exam_is_kept_apart(tmp_path: Path) -> None:
    exam = tmp_path / "exam.jsonl"
    exam.write_text(
        '{"question": "当月の国内株式市場は企業業績への期待から上昇し、半導体が買われた。", "n": 1}\n', encoding="utf-8"
    )
    rows = pairs({"final": "当月の国内株式市場は 企業業績への期待から上昇し、半導体が買われた。"}, {})
    kept, dropped, _ = walk("decontaminate", rows, exam=str(exam))
    assert reasons(dropped) == [("in-exam", "a.csv:1")]
    assert [pair.id for pair in kept] == ["p2"]
    with pytest.raises(UsageError, match="no such exam"):
        walk("decontaminate", rows, exam=str(tmp_path / "none"))
    exam.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="not JSON"):
        walk("decontaminate", rows, exam=str(exam))
    exam.write_text('{"a": "短い"}', encoding="utf-8")
    with pytest.raises(DataError, match="30 characters"):
        walk("decontaminate", rows, exam=str(exam))


def test_a_blend_keeps_the_weights_and_the_seed() -> None:
    rows = pairs(*({"manager": "甲" if n % 3 else "乙"} for n in range(30)))
    kept, dropped, tally = walk("blend", rows, weights={"甲": 1.0, "乙": 2.0}, by="manager")
    assert Counter(pair.manager for pair in kept) == {"乙": 10, "甲": 5}
    assert {drop.reason for drop in dropped} == {"blended-out"}
    assert len(kept) + len(dropped) == 30
    assert [p.id for p in walk("blend", rows, weights={"甲": 1.0, "乙": 2.0}, by="manager")[0]] == [p.id for p in kept]
    other = walk("blend", rows, weights={"甲": 1.0, "乙": 2.0}, by="manager", seed=1)[0]
    assert [p.id for p in other] != [p.id for p in kept]
    assert tally["taken of 甲"] == 5
    for wrong in ({"丙": 1.0}, {"甲": 0.0}, {}):
        with pytest.raises(UsageError):
            walk("blend", rows, weights=wrong, by="manager")
