"""What gates and tests measured, said in Japanese too. They keep it in English; figures stay as they are."""

from __future__ import annotations

import re

__all__ = ["GATES", "in_japanese"]

GATES = {
    "beats-draft": "原稿のままより良い",
    "beats-rules": "規則だけの置き換えより良い",
    "beats-base": "基盤モデルより良い",
    "score": "得点",
    "facts-kept": "事実を保つ",
    "exam-size": "試験の件数",
}
"""The gates of a release by name."""

_N = r"[+-]?[\d.,]+"
_PATTERNS = (
    (rf"^(\S+) ({_N}), ({_N}) over the draft's ({_N})$", r"\1 \2（原稿のまま \4 に対し \3）"),
    (rf"^(\S+) ({_N}), ({_N}) over the base's ({_N})$", r"\1 \2（基盤モデル \4 に対し \3）"),
    (rf"^(\S+) ({_N}), ({_N}) over the rules's ({_N})$", r"\1 \2（規則だけ \4 に対し \3）"),
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
    (rf"^({_N}) drafts read, lower end (at least|above) ({_N})$", r"\1 件以上を読み、区間の下端が \3 以上"),
)


def in_japanese(text: str) -> str:
    """The words in Japanese; as they are where they are a house's own."""
    for pattern, japanese in _PATTERNS:
        found, n = re.subn(pattern, japanese, text)
        if n:
            return found
    return text
