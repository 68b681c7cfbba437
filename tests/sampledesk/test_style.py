"""The finals keep what can be checked of house-style.md, and the job is real work, not a lottery of templates."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping

import pytest

from tensaku.records import Pair, from_dict
from tensaku.sampledesk import folder
from tensaku.sampledesk.surface import SLIPS
from tensaku.text import compare, facts, mask, sentences

EXAM = "2026-04"
FORBIDDEN = ("必ず", "確実", "絶対", "元本", "お約束", "約束", "安心")
UNHOUSED = (
    "日銀",
    "米連銀",
    "欧州中銀",
    "BOJ",
    "Fed",
    "BM",
    "参考指数",
    "ポートフォリオ",
    "コンセンサス",
    "センチメント",
    "ガイダンス",
    "ウェイト",
    "イールド",
    "リスクオフ",
    "リスクオン",
    "アウトパフォーム",
    "アンダーパフォーム",
    "リターン",
    "値上がり",
    "値下がり",
    "弊社",
    "当社",
    "私ども",
    "我々",
    "マーケット",
    "相場は",
    "今月",
    "皆様",
    "ございます",
    "さて、",
    "ちなみに",
    "その結果",
    "物価高",
    "外国人投資家",
    "利食い",
    "中銀",
    "エマージング",
)


def _pairs() -> list[Pair]:
    lines = (folder() / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    return [from_dict(Pair, json.loads(line)) for line in lines]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return _pairs()


@pytest.fixture(scope="module")
def names() -> Mapping[str, list[str]]:
    table: dict[str, list[str]] = tomllib.loads((folder() / "names.toml").read_text(encoding="utf-8"))["names"]
    return table


def test_finals_are_in_the_plain_style_and_in_half_width(pairs: list[Pair]) -> None:
    for p in pairs:
        assert not re.search(r"(です|ます|でした|ました|ません|でしょう)。", p.final), p.final
        assert not re.search(r"[０-９％＝／]|パーセント|令和|[▲△]|\d/\d|\n", p.final), p.final
        assert re.fullmatch(r"(?:[^。]+(?:た|だ|る|い)。)+", p.final), p.final
        assert not re.search(r"\d{4}(?!年)", p.final.replace("S&P500", "")), p.final


def test_finals_hold_no_promise_no_jargon_and_no_slip(pairs: list[Pair]) -> None:
    for p in pairs:
        for word in (*FORBIDDEN, *UNHOUSED, *SLIPS.values()):
            assert word not in p.final, (word, p.final)
        assert not re.search(r"はは|がが|をを", p.final), p.final


def test_no_fact_is_lost_or_invented(pairs: list[Pair], names: Mapping[str, list[str]]) -> None:
    broken = [(p.id, v.breaks) for p in pairs if not (v := compare(p.draft, p.final, names)).kept]
    assert broken == []
    assert sum(bool(facts(p.final, names)) for p in pairs) > 500


def test_the_guard_sees_a_changed_figure(pairs: list[Pair], names: Mapping[str, list[str]]) -> None:
    p = next(p for p in pairs if p.section == "performance")
    changed = re.sub(r"(\d\.\d)%", lambda m: f"{float(m[1]) + 2:.1f}%", p.final, count=1)
    assert not compare(p.draft, changed, names).kept


def test_fewer_than_sixty_percent_of_exam_sentences_have_a_form_of_the_lessons(
    pairs: list[Pair], names: Mapping[str, list[str]]
) -> None:
    def forms(rows: list[Pair]) -> list[str]:
        return [mask(s.text, names) for p in rows for s in sentences(p.final)]

    exam = [p for p in pairs if p.as_of >= EXAM]
    held = {p.family for p in exam}
    seen = set(forms([p for p in pairs if p.as_of < EXAM and p.family not in held]))
    asked = forms(exam)
    share = sum(form in seen for form in asked) / len(asked)
    print(f"form_seen_share {share:.3f}")
    assert 0.30 < share < 0.60


def test_an_untouched_draft_scores_between_40_and_65(pairs: list[Pair]) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    exam = [p for p in pairs if p.as_of >= EXAM]
    bleu = sacrebleu.metrics.BLEU(tokenize="ja-mecab")
    score = bleu.corpus_score([p.draft for p in exam], [[p.final for p in exam]]).score
    print(f"BLEU of the untouched draft {score:.1f}")
    assert 40 < score < 65


def test_lengths_suit_a_small_model(pairs: list[Pair]) -> None:
    drafts, finals = [len(p.draft) for p in pairs], [len(p.final) for p in pairs]
    assert 95 < sum(drafts) / 800 < 140
    assert max(drafts) <= 230
    assert 80 < sum(finals) / 800 < 120
    assert max(finals) <= 200


@pytest.mark.parametrize(
    "sign",
    [
        "令和",
        "０",
        "パーセント",
        "％",
        r"\d/\d",
        "ました。",
        "▲",
        "マイナス[０-９0-9]",
        "△",
        "今月",
        "[Ff]ed|米連銀",
        "日銀",
        "日経平均は",
        "コンセンサス",
        "センチメント",
        "ウェイト",
        "イールド",
        "物価高",
        "リスクオ",
        "クレジット債",
        "利食い売り",
        "外国人投資家",
        "エマージング",
        "S&P500[はの]",
        "(?<!（)AI",
        "デュレーション[をの]",
        "ポートフォリオ",
        "BM|参考指数|ベンチの",
        "そのため、|このため、",
        "しかし、|とはいえ、",
        "ため、",
        "ので、",
        "たが、",
        "その結果|以上の結果|結果として",
        "上昇率|下落率",
        "のプラス。|のマイナス。",
        "さて、|なお、|ちなみに、|また、",
        "ご愛顧|お引き立て|お世話|感謝|よろしく",
        "必ず|確実に|絶対に",
        "元本|約束|安心",
        "はは|がが|をを",
        *SLIPS.values(),
        "弊社|当社|私ども|我々",
        "アウトパフォーム|アンダーパフォーム",
        "買い増|積み増",
        "足を引っ張",
        "今後は、",
        "もっとも、|ただ、",
        "終わ",
        "ません|なかった",
        "リターン",
        "為替は",
        "政策金利",
    ],
)
def test_what_is_to_be_learnt_stands_often_in_the_lessons(pairs: list[Pair], sign: str) -> None:
    assert sum(bool(re.search(sign, p.draft)) for p in pairs if p.as_of < EXAM) >= 10


def test_about_one_draft_in_ten_needs_almost_nothing(pairs: list[Pair]) -> None:
    from rapidfuzz.distance import Levenshtein

    near = sum(Levenshtein.distance(p.draft, p.final) <= 25 for p in pairs)
    assert 60 <= near <= 160
