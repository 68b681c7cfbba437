"""A collection that is put together from few sentences: it goes on where it was, and is left alone once it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.retrieve import grown
from benchmarks.retrieve.grown import fill
from benchmarks.retrieve.jsquad import Course
from benchmarks.retrieve.run import Drawn

from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Searcher
from tensaku.retrieve.snapshot import faults_of, open_current

COURSE = Course(
    [("梅雨", "梅雨は六月に始まる。北海道には梅雨がない。"), ("規程", "解約は三時までに受け付ける。")], [], [], []
)


def vectors(n: int) -> Any:
    return np.full((n, 384), 384**-0.5, np.float32)


def test_filling_goes_on_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grown, "_A_FILE", 5)
    assert fill(COURSE, 10, tmp_path, vectors)
    first = open_current(tmp_path).name
    assert not fill(COURSE, 10, tmp_path, vectors)
    assert fill(COURSE, 20, tmp_path, vectors)
    assert open_current(tmp_path).name != first
    assert len(open_current(tmp_path)) == 20
    assert faults_of(tmp_path) == []
    found = Searcher(tmp_path, Drawn(), Rights(None)).search("資料17")[0]
    assert found.headings == ("資料17",)
    (tmp_path / "current").unlink()
    assert fill(COURSE, 20, tmp_path, vectors), "killed before it was sealed"
