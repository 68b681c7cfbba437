from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tensaku.engines import Request
from tensaku.engines.native import probe as probing
from tensaku.engines.native.engine import NativeEngine
from tensaku.models.shape import Shape

Get = Callable[[str], Any]
Ask = Callable[..., Request]


@pytest.mark.parametrize("family", ["gemma3_text", "llama", "qwen2"])
def test_every_family_is_measured_in_both_formats(tiny: Get, family: str) -> None:
    shape = Shape.load(tiny(family).folder)
    for processor in ("native", None):
        found = probing.probe(shape, threads=1, processor=processor)
        assert set(found) == {"int8", "fp32"}
        assert all(0 < seconds < 5 for seconds in found.values())


def test_auto_takes_the_faster_one_and_says_so(
    tiny: Get, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="tensaku")
    for slow, wanted in (({"int8": 1.0, "fp32": 0.95}, "int8"), ({"int8": 1.0, "fp32": 0.5}, "fp32")):
        monkeypatch.setattr(probing, "probe", lambda *_, slow=slow, **__: slow)
        engine = NativeEngine(tiny("gemma3_text").folder, context=64, slots=1, threads=1, precision="auto")
        assert engine.precision == wanted
        assert engine.version.endswith(wanted)
        assert list(engine.submit(ask("株", 2)))
        engine.close()
        assert f"precision: {wanted}" in caplog.text
