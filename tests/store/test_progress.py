"""Plain lines are few; bars come and go; nothing is said in silence."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading

import pytest

from tensaku.store import PlainReporter, RichReporter, SilentReporter, reporter_for


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_at_most_one_line_every_five_seconds(clock: Clock) -> None:
    out = io.StringIO()
    with PlainReporter(out, clock=clock).task("decode", 100) as bar:
        for n in range(100):
            clock.now += 0.11
            bar.advance(1, note=f"loss {n}")
    assert out.getvalue().splitlines() == [
        "decode ...",
        "decode: 46 of 100 (46 %) in 5.1 s, loss 45",
        "decode: 92 of 100 (92 %) in 10.1 s, loss 91",
        "decode: done in 11.0 s",
    ]


def test_unknown_length_and_minutes(clock: Clock) -> None:
    out = io.StringIO()
    with PlainReporter(out, clock=clock).task("reads") as bar:
        clock.now += 125
        bar.advance(2.5)
    assert out.getvalue().splitlines() == ["reads ...", "reads: 2.5 in 2 min 05 s", "reads: done in 2 min 05 s"]


def test_a_step_that_fails_says_how_far_it_came(clock: Clock) -> None:
    out = io.StringIO()

    def interrupted() -> None:
        with PlainReporter(out, clock=clock).task("tunes", 4) as bar:
            bar.advance(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert out.getvalue().splitlines()[-1] == "tunes: stopped at 1 of 4 (25 %) after 0.0 s"


def test_counts_from_several_threads_add_up(clock: Clock) -> None:
    out = io.StringIO()
    with PlainReporter(out, clock=clock).task("x", 4000) as bar:

        def count() -> None:
            for _ in range(1000):
                bar.advance()

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.now += 6
        bar.advance(0)
    assert "x: 4000 of 4000 (100 %) in 6.0 s" in out.getvalue()


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = SilentReporter()
    with quiet.task("x", 3) as bar:
        bar.advance(1, note="y")
    quiet.say("z")
    assert capsys.readouterr() == ("", "")


def test_bars_side_by_side_and_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    bars = RichReporter()
    with bars.task("outer", 2) as outer:
        with bars.task("inner [3/4]") as inner:
            inner.advance(1, note="[note]")
            bars.say("between [the] bars")
        outer.advance()
    with bars.task("again", 0):
        pass
    bars.say("after")
    out, err = capsys.readouterr()
    assert out == ""
    assert "between [the] bars" in err
    assert "after" in err


def test_a_terminal_gets_bars_and_a_pipe_gets_lines() -> None:
    script = (
        "from tensaku.store import reporter_for\n"
        "r = reporter_for()\n"
        "with r.task('tunes', 2) as bar: bar.advance(2, note='loss 0.5')\n"
    )
    piped = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert piped.stderr.startswith("tunes ...\ntunes: done in")
    assert piped.stdout == ""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", script], stderr=theirs, stdout=subprocess.PIPE, env=env, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "100%" in shown
    assert "loss 0.5" in shown


def test_a_given_stream_gets_lines() -> None:
    assert isinstance(reporter_for(io.StringIO()), PlainReporter)
