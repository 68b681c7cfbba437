"""The step that brings texts to a common form, side by side and only where asked."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal

from tensaku.curate.steps import Step, one_by_one
from tensaku.errors import UsageError
from tensaku.plugins import steps
from tensaku.records import Pair

__all__ = ["Form", "common_form"]

Form = Literal["nfkc", "width", "kana", "spaces", "era"]
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_HALF_KANA = re.compile("[\uff61-\uff9f]+")
_SPACES = re.compile(r"[^\S\n]+")
_JAPANESE = "\u3001-\u30ff\u4e00-\u9fff\uff01-\uff60"
_BETWEEN = re.compile(rf"(?<=[{_JAPANESE}]) (?=[{_JAPANESE}])")
_ERA = re.compile(r"(令和|平成|昭和|大正|明治)\s?([0-9０-９]{1,2}|元)(?=年)")
_FIRST = {"令和": 2019, "平成": 1989, "昭和": 1926, "大正": 1912, "明治": 1868}


def _era(text: str) -> str:
    return _ERA.sub(lambda m: str(_FIRST[m[1]] - 1 + (1 if m[2] == "元" else int(m[2]))), text)


_DO: dict[Form, Callable[[str], str]] = {
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "width": lambda text: text.translate(_WIDE),
    "kana": lambda text: _HALF_KANA.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text),
    "spaces": lambda text: _BETWEEN.sub("", _SPACES.sub(" ", text)),
    "era": _era,
}


@steps.register("common-form")
@one_by_one
def common_form(
    rows: Iterable[Pair], tally: Counter[str], /, *, draft: Sequence[Form] = (), final: Sequence[Form] = ()
) -> Step:
    """Bring a side to a common form, in the order given; a side that is not named stays as written.

    "nfkc" is Unicode's compatibility form (it also makes ① 1 and ㈱ (株)); "width" makes full-width letters, digits and
    marks half-width; "kana" makes half-width katakana full-width; "spaces" leaves one space and none between Japanese
    characters; "era" writes 令和8年 as 2026年. A form for drafts has to be given to drafts at work too.

    Raises:
        UsageError: no form is named.
    """
    if not draft and not final:
        fix = f'Say final = ["width"]; there is: {", ".join(_DO)}'
        raise UsageError("no form is named", where="step 'common-form'", fix=fix)
    for pair in rows:
        texts = pair.draft, pair.final
        for form in draft:
            texts = _DO[form](texts[0]), texts[1]
        for form in final:
            texts = texts[0], _DO[form](texts[1])
        tally["drafts changed"] += texts[0] != pair.draft
        tally["finals changed"] += texts[1] != pair.final
        yield replace(pair, draft=texts[0], final=texts[1])
