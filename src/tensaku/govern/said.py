"""What gates measured and wanted: sealed as values, said from them in Japanese and in English.

A `Saying` is the name of a sentence and the values that stand in it. Results that were sealed before there were sayings
hold the English sentence itself; `told` puts those into Japanese by pattern, and nothing that is sealed now.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["GATES", "TESTS", "Saying", "gate_name", "say", "test_name", "told"]

GATES = {
    "beats-draft": "原稿のままより良い",
    "beats-rules": "規則だけの置き換えより良い",
    "beats-base": "基盤モデルより良い",
    "score": "得点",
    "facts-kept": "事実を保つ",
    "exam-size": "試験の件数",
}
"""The gates of a release by name."""

TESTS = {
    "draft": "原稿のままより良い",
    "champion": "現行モデルに劣らない",
    "facts": "事実を保つ",
    "facts-champion": "事実を現行並みに保つ",
    "style": "文体",
    "latency": "応答時間",
    "memorisation": "学習文の再現",
    "judge": "判定モデルの選好",
    "readers": "目隠しの読み手",
}
"""The tests of the promotion gate by name."""

_SPAN = "{value:+.3f} [{low:+.3f}, {high:+.3f}]"
_SENTENCES: dict[str, tuple[str, str]] = {
    # what the gates of a release measure
    "beats-draft": (
        "{scorer} {tuned:.2f}（原稿のまま {rival:.2f} に対し {better:+.2f}）",
        "{scorer} {tuned:.2f}, {better:+.2f} over the draft's {rival:.2f}",
    ),
    "beats-base": (
        "{scorer} {tuned:.2f}（基盤モデル {rival:.2f} に対し {better:+.2f}）",
        "{scorer} {tuned:.2f}, {better:+.2f} over the base's {rival:.2f}",
    ),
    "beats-rules": (
        "{scorer} {tuned:.2f}（規則だけ {rival:.2f} に対し {better:+.2f}）",
        "{scorer} {tuned:.2f}, {better:+.2f} over the rules' {rival:.2f}",
    ),
    "score": ("{scorer} {value:.2f}", "{scorer} {value:.2f}"),
    "kept": ("事実をすべて保つ出力の割合 {share:.4f}", "{share:.4f} of outputs keep every fact"),
    "pairs": ("試験 {n:.0f} 件", "{n:.0f} pairs in the exam"),
    # what the promotion gate measures
    "gain": (
        "{scorer} {value:+.2f} [{low:+.2f}, {high:+.2f}]",
        "{scorer} {value:+.2f} [{low:+.2f}, {high:+.2f}]",
    ),
    "no-gain": ("原稿のままとの比較がない", "no comparison with the untouched draft"),
    "difference": ("{scorer} " + _SPAN, "{scorer} " + _SPAN),
    "share-difference": ("割合の差 " + _SPAN, "share " + _SPAN),
    "breaches": ("1 件あたりの違反の差 " + _SPAN, "breaches an output " + _SPAN),
    "kept-percent": ("事実をすべて保つ出力の割合 {share:.1%}", "{share:.1%} of outputs keep every fact"),
    "seconds": (
        "1 件 {seconds:.3f} 秒、現行の {times:.2f} 倍",
        "{seconds:.3f} s an answer, {times:.2f} times the champion's",
    ),
    "no-champion": ("現行モデルがまだない", "there is no champion yet"),
    "given-back": (
        "学習文 {n} 件中 {share:.0%} を再現（基盤モデル {base:.0%}）、個人情報を含む回答 {personal} 件",
        "{share:.0%} of {n} lessons given back, base {base:.0%}; {personal} answers with personal data",
    ),
    "not-probed": ("調べていない", "not probed"),
    "preferred": (
        "{other} に対し選ばれた割合 {value:.2f} [{low:.2f}, {high:.2f}]（{n} 件）",
        "preferred {value:.2f} [{low:.2f}, {high:.2f}] in {n} drafts against {other}",
    ),
    "preferred-draft": (
        "原稿のままに対し選ばれた割合 {value:.2f} [{low:.2f}, {high:.2f}]（{n} 件）",
        "preferred {value:.2f} [{low:.2f}, {high:.2f}] in {n} drafts against draft",
    ),
    "wrote-the-same": ("どの原稿でも同じ文になった", "both wrote the same"),
    "not-asked": ("尋ねていない", "not asked"),
    "read-few": ("{least} 件のうち {n} 件しか読まれていない", "read {n} drafts of {least}"),
    # what is wanted
    "least-points": ("{bound:.2f} 以上", "at least {bound:.2f}"),
    "least-gain": ("{bound:+.2f} 以上", "at least {bound:+.2f}"),
    "least-share": ("{bound:.4f} 以上", "at least {bound:.4f}"),
    "least-percent": ("{bound:.1%} 以上", "at least {bound:.1%}"),
    "least-pairs": ("{bound} 以上", "at least {bound}"),
    "most-more": ("{bound:+.2f} 以下", "at most {bound:+.2f}"),
    "most-times": ("現行の {bound:.2f} 倍以下", "at most {bound:.2f} times"),
    "most-given-back": (
        "基盤モデルとの差が {bound:.0%} 以下、個人情報なし",
        "at most {bound:.0%} beyond the base, no personal data",
    ),
    "off-zero": ("区間が 0 に達しない", "an interval that does not reach 0"),
    "a-comparison": ("比較があること", "one"),
    "lower-end": ("区間の下端が {bound:+.2f} 以上", "lower end at least {bound:+.2f}"),
    "lower-share": ("区間の下端が {bound:.2f} 以上", "lower end at least {bound:.2f}"),
    "lower-above": ("区間の下端が {bound:.2f} を超える", "lower end above {bound:.2f}"),
    "read-share": (
        "{least} 件以上を読み、区間の下端が {bound:.2f} 以上",
        "{least} drafts read, lower end at least {bound:.2f}",
    ),
    "read-above": (
        "{least} 件以上を読み、区間の下端が {bound:.2f} を超える",
        "{least} drafts read, lower end above {bound:.2f}",
    ),
    "nothing": ("-", "-"),
}


class _Figures(string.Formatter):
    """Figures in a sentence; one that there is none of (None) is a dash."""

    def format_field(self, value: Any, spec: str) -> str:
        return "–" if value is None else str(super().format_field(value, spec))


@dataclass(frozen=True, slots=True)
class Saying:
    """The values of one sentence; as a text it is the English one.

    Sealed as `{"say": ..., "values": {...}}`: figures as they were measured, not rounded; None where there is none.
    """

    say: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def told(self, japanese: bool) -> str:
        """The sentence."""
        return _Figures().vformat(_SENTENCES[self.say][0 if japanese else 1], (), self.values)

    def __str__(self) -> str:
        return self.told(japanese=False)


def say(name: str, **values: Any) -> Saying:
    """The sentence of that name with these values."""
    assert name in _SENTENCES, name
    return Saying(name, values)


def told(held: str | Saying | Mapping[str, Any], japanese: bool) -> str:
    """What is said of a sealed result: of one as it is sealed now, of a sentence from before, of a house's own text.

    A saying that this version does not know, from a later one, is told by its name and values.
    """
    if isinstance(held, str):
        return _before(held) if japanese else held
    found = held if isinstance(held, Saying) else Saying(str(held["say"]), held.get("values", {}))
    if found.say not in _SENTENCES:
        return ", ".join([found.say, *(f"{name} {value}" for name, value in found.values.items())])
    return found.told(japanese)


def gate_name(name: str, japanese: bool) -> str:
    """What a gate of a release is called; a house's own by its own name."""
    return GATES.get(name, name) if japanese else name


def test_name(name: str, japanese: bool) -> str:
    """What a test of the promotion gate is called."""
    return TESTS.get(name, name) if japanese else name


test_name.__test__ = False  # type: ignore[attr-defined]  # no test of pytest's

_N = r"[+-]?[\d.,]+"
_PATTERNS = (
    (rf"^(\S+) ({_N}), ({_N}) over the draft's ({_N})$", r"\1 \2（原稿のまま \4 に対し \3）"),
    (rf"^(\S+) ({_N}), ({_N}) over the base's ({_N})$", r"\1 \2（基盤モデル \4 に対し \3）"),
    (rf"^(\S+) ({_N}), ({_N}) over the rules' ({_N})$", r"\1 \2（規則だけ \4 に対し \3）"),
    (rf"^({_N} ?%?) of outputs keep every fact$", r"事実をすべて保つ出力の割合 \1"),
    (rf"^({_N}) pairs in the exam$", r"試験 \1 件"),
    (rf"^lower end at least ({_N})$", r"区間の下端が \1 以上"),
    (rf"^lower end above ({_N})$", r"区間の下端が \1 を超える"),
    (rf"^at least ({_N} ?%?)$", r"\1 以上"),
    (rf"^at most ({_N} ?%?)$", r"\1 以下"),
    (rf"^at most ({_N}) times$", r"現行の \1 倍以下"),
    (r"^an interval that does not reach 0$", "区間が 0 に達しない"),
    (r"^no comparison with the untouched draft$", "原稿のままとの比較がない"),
    (rf"^({_N}) s an answer, ({_N}) times the champion's$", r"1 件 \1 秒、現行の \2 倍"),
    (r"^breaches an output (.+)$", r"1 件あたりの違反の差 \1"),
    (r"^share (.+)$", r"割合の差 \1"),
    (r"^there is no champion yet$", "現行モデルがまだない"),
    (r"^not probed$", "調べていない"),
    (
        rf"^({_N} ?%) of ({_N}) lessons given back, base ({_N} ?%); ({_N}) answers with personal data$",
        r"学習文 \2 件中 \1 を再現（基盤モデル \3）、個人情報を含む回答 \4 件",
    ),
    (rf"^at most ({_N} ?%) beyond the base, no personal data$", r"基盤モデルとの差が \1 以下、個人情報なし"),
    (rf"^preferred (.+) in ({_N}) drafts against draft$", r"原稿のままに対し選ばれた割合 \1（\2 件）"),
    (rf"^preferred (.+) in ({_N}) drafts against (.+)$", r"\3 に対し選ばれた割合 \1（\2 件）"),
    (r"^not asked$", "尋ねていない"),
    (r"^both wrote the same$", "どの原稿でも同じ文になった"),
    (rf"^read ({_N}) drafts of ({_N})$", r"\2 件のうち \1 件しか読まれていない"),
    (rf"^({_N}) drafts read, lower end at least ({_N})$", r"\1 件以上を読み、区間の下端が \2 以上"),
    (rf"^({_N}) drafts read, lower end above ({_N})$", r"\1 件以上を読み、区間の下端が \2 を超える"),
)
"""The sentences that were sealed before values were; no new ones come to these."""


def _before(text: str) -> str:
    """A sentence from before in Japanese; as it is where it is a house's own."""
    for pattern, japanese in _PATTERNS:
        found, n = re.subn(pattern, japanese, text)
        if n:
            return found
    return text
