from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tensaku.engines.native.limits import Words
from tensaku.engines.native.numbers import KnownNumbers
from tensaku.models.tokenizer import Tokenizer

Get = Callable[[str], Any]


@pytest.fixture(scope="module")
def tokenizer(tiny: Get) -> Tokenizer:
    folder: Path = tiny("gemma3_text").folder
    return Tokenizer.load(folder)


def _refused(tokenizer: Tokenizer, source: str, text: str) -> str | None:
    """What of `text` could be written before a word was refused; None: all of it, and its end."""
    limit = KnownNumbers(source, Words(tokenizer, len(tokenizer)))
    ids = [*tokenizer.encode(text), min(tokenizer.eos)]
    return next((tokenizer.decode(ids[:at]) for at, word in enumerate(ids) if not limit.allows(word, ids[:at])), None)


MONTH = "令和８年２月は４８，５００円、前月比-0.50%。3月"
QUARTER = "騰落率は3割5分、1〜3月期は▲2.3%、150円20銭、3〜5万円。第1四半期。3日間で20社。1/3を売却。9時30分。3%ポイント"
RATE = "為替は１ドル＝144円"
BONDS = "10年国債利回りは0.25%上昇の1.05%。二〇二六年度。2026年9月。百二十三銘柄。約三割、五厘"


def _cases(source: str, texts: str) -> list[tuple[str, str]]:
    return [(source, text) for text in texts.split("|")]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        *_cases(MONTH, "2026年2月|48500円|48,500円。|0.50%|0.5%|2月、3月|令和8年2月|四万八千五百円|〇・五%|50bpの低下"),
        *_cases(MONTH, "二〇二六年二月|4万8,500円|4.85万円"),
        *_cases(QUARTER, "三割五分の|35%|3.5割|二・三%の下落|1月から3月|150.2円|三万円から五万円|第一四半期は"),
        *_cases(RATE, "円安が進み、1ドル=144円|1ドル144円"),
        *_cases(QUARTER, "3日間で二十社|三分の一を|9時30分に|3%ポイント|一方、十分に一部"),
        *_cases(BONDS, "10年債は25bp上昇し1.05%|2026年度の|123銘柄|2026年9月末|十年国債|30%|0.5%"),
    ],
)
def test_what_stands_in_the_text_may_be_written_in_any_way(tokenizer: Tokenizer, source: str, text: str) -> None:
    assert _refused(tokenizer, source, text) is None


@pytest.mark.parametrize(
    ("source", "text"),
    [
        *_cases(RATE, "1ドル=145円|2ドル|1ユーロ"),
        *_cases(MONTH, "4, 8500円|4、8500円|8500円|4,850円|4850円|48,501|0.6|2027年|1月|22月|485 |8年|3%|三割|八%"),
        *_cases(MONTH, "48,500ドル|五千円|2社|0.5ポイントの"),
        *_cases(QUARTER, "第2四半期|3%の|21社|百円|3か月|一割の|十社|百五十銘柄|6月"),
        *_cases(BONDS, "2025年度|百二十四銘柄|123社|百二十三社|1.25%|四割|六厘"),
    ],
)
def test_what_does_not_stand_there_is_refused(tokenizer: Tokenizer, source: str, text: str) -> None:
    assert _refused(tokenizer, source, text) is not None


def test_a_number_that_is_half_out_of_sight_refuses_none_after_it(tokenizer: Tokenizer) -> None:
    source = "騰落率は10.8%、10.8ポイント、10.8円、１．１円、４３，４００円"
    limit = KnownNumbers(source, Words(tokenizer, len(tokenizer)))
    for between in range(30):
        for number, other in (("1.1", "1.8"), ("43,400", "43,408"), ("10.8", "10.4")):
            ids = tokenizer.encode(f"率は10.8%{'あ' * between}{number}円")
            assert all(limit.allows(word, ids[:at]) for at, word in enumerate(ids)), (between, number)
            ids = tokenizer.encode(f"率は10.8%{'あ' * between}{other}円")
            assert not all(limit.allows(word, ids[:at]) for at, word in enumerate(ids)), (between, other)
        ids = tokenizer.encode(f"率は10.8%ポイント{'あ' * between}一方、")
        assert all(limit.allows(word, ids[:at]) for at, word in enumerate(ids)), between


def test_a_number_that_has_begun_is_gone_on_with(tokenizer: Tokenizer) -> None:
    """However unlikely the only digit that may follow is: no piece of a number is left standing."""
    limit = KnownNumbers("385円", Words(tokenizer, len(tokenizer)))
    [three], [eight] = tokenizer.encode("3"), tokenizer.encode("8")
    scores = torch.linspace(1, 0, len(tokenizer))
    scores[:262] = -100.0  # marks without text, and bytes, of which any character may become
    scores[eight] = -50.0
    limit.narrow(scores, [three])
    assert int(scores.argmax()) == eight
