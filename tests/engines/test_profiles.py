"""What a profile sets follows the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.engines.profiles import PROFILES, Hardware, keys_and_values_mb, profile_for
from tensaku.models.shape import Shape
from tensaku.testing import tiny_model

TWO = Hardware(2, 16_000.0, 0, "")


def test_one_processor_is_for_latency_and_more_for_throughput() -> None:
    assert profile_for("auto", Hardware(1, None, 0, "")).name == "latency"
    assert profile_for("auto", TWO).name == "throughput"


def test_what_is_asked_for_is_taken() -> None:
    latency, throughput = (profile_for(name, TWO) for name in PROFILES)
    assert latency.at_once < throughput.at_once
    assert latency.chunk < throughput.chunk


def test_a_small_memory_bounds_the_answers_at_once() -> None:
    found = profile_for("throughput", Hardware(64, 1000.0, 0, ""), stream_mb=100.0)
    assert (found.at_once, found.why) == (5, "memory")
    assert profile_for("latency", Hardware(2, 10.0, 0, ""), stream_mb=100.0).at_once == 1


@given(st.integers(1, 512), st.floats(1, 1e6), st.floats(0, 1e5), st.sampled_from(["auto", *PROFILES]))
def test_every_machine_gets_something_that_works(cores: int, free: float, stream: float, name: str) -> None:
    made = profile_for(name, Hardware(cores, free, 0, ""), stream)  # type: ignore[arg-type]
    assert 1 <= made.at_once <= 256
    assert made.at_once == 1 or made.at_once * stream <= free / 2


def test_gpus_are_counted_as_the_driver_lists_them(tmp_path: Path) -> None:
    assert Hardware.found(tmp_path).gpus == 0
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "driver/nvidia/gpus" / name).mkdir(parents=True)
    (tmp_path / "meminfo").write_text("MemAvailable:  2048 kB\n")
    found = Hardware.found(tmp_path)
    assert (found.gpus, found.free_mb) == (2, 2.0)


def test_keys_and_values_are_what_the_engine_takes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tensaku.engines.native.model import Model

    folder = tiny_model(tmp_path / "base")
    context = min(256, Shape.load(folder).context)
    model = Model(folder, precision="fp32", context=context, slots=3, threads=1)
    pages = model._pages(None, 3, folder)
    assert pages * model.page_bytes / 2**20 == pytest.approx(3 * keys_and_values_mb(folder, context), rel=0.1)
