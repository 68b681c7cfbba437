"""Vectors: the local model, a server's, and the search among many by signs."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from tensaku.errors import EngineError, UsageError
from tensaku.models.embed import Endpoint, Local, open_embedder
from tensaku.retrieve import vectors
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rank import fuse, wanted
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Searcher
from tensaku.retrieve.vectors import Near, Signs, write_signs


def test_the_local_model_knows_japanese_and_gives_the_same_each_time() -> None:
    model = Local()
    texts = ["解約の申込みは午後3時までに受け付ける。", "猫は魚を好む。", "The office closes at five."]
    rows = model.passages(texts)
    assert rows.shape == (3, 384)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    assert np.array_equal(rows, model.passages(texts))
    assert int(np.argmax(rows @ model.question("換金の締切時刻は何時ですか"))) == 0
    assert int(np.argmax(rows @ model.question("動物の食べ物"))) == 1
    assert np.isfinite(model.passages(["\0", "", "\ud800"])).all()


class _Server(http.server.BaseHTTPRequestHandler):
    answer: Any = None
    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        type(self).asked.append(body)
        data = [{"index": n, "embedding": [len(t), 1.0]} for n, t in enumerate(body["input"])]
        told = json.dumps({"data": data[::-1]} if self.answer is None else self.answer).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    _Server.answer, _Server.asked = None, []
    server = http.server.HTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_any_endpoint_serves(address: str) -> None:
    held = open_embedder({"model": "bge", "url": address, "question": "query: "})
    assert isinstance(held, Endpoint)
    rows = held.passages(["a", "bbb"])
    assert rows == pytest.approx(np.asarray([[1, 1], [3, 1]]) / np.sqrt([[2], [10]]), abs=1e-6)
    held.question("c")
    assert _Server.asked[-1] == {"model": "bge", "input": ["query: c"]}
    _Server.answer = {"data": []}
    with pytest.raises(EngineError, match=r"for 1 texts|did not come"):
        held.question("c")
    _Server.answer = {"error": "no"}
    with pytest.raises(EngineError, match="did not come"):
        held.passages(["a"])


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"model": "x"}, "the url is missing"),
        ({"model": "x", "url": "ftp://a"}, "no address"),
        ({"model": "x", "url": "http://a", "size": 3}, "unknown: size"),
        ({"model": "local", "url": "http://a"}, "says nothing"),
    ],
)
def test_wrong_settings_are_named(told: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        open_embedder(told)
    assert open_embedder({"model": "none"}) is None


def drawn(passages: int, each: int, seed: int = 0) -> tuple[NDArray[Any], NDArray[np.int8], NDArray[np.int32]]:
    """Unit vectors, the same in 8 bits, and their passages."""
    rows = np.random.default_rng(seed).standard_normal((passages * each, 384))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, np.rint(rows * 127).astype(np.int8), np.repeat(np.arange(passages, dtype=np.int32), each)


def test_signs_find_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, coded, owners = drawn(1000, 3)
    rng = np.random.default_rng(1)
    seen = rng.random(1000) < 0.7
    monkeypatch.setattr(vectors, "_KEPT", 60)
    monkeypatch.setattr(vectors, "_BLOCK", 500)
    exact, signs = Near(coded, owners, 1000), Near(coded, owners, 1000, Signs.of(coded))
    near = [number for number in range(0, 280, 7) if seen[owners[number]]]
    assert len(near) > 20
    for number in near:
        question = (rows[number] + 0.5 * rng.standard_normal(384) / 20).astype(np.float32)
        (all_of_them, slow), (few, fast) = exact.nearest(question, seen), signs.nearest(question, seen)
        assert np.array_equal(all_of_them, np.flatnonzero(seen))
        assert seen[few].all()
        assert 0 < len(few) <= 60
        assert (fast <= slow[np.searchsorted(all_of_them, few)] + 1e-6).all()
        assert fast.max() == pytest.approx(slow.max(), abs=1e-6)
        assert all_of_them[np.argmax(slow)] == few[np.argmax(fast)]


@pytest.mark.parametrize("hidden", [0.0, 0.02, 0.5, 0.999], ids=str)
@pytest.mark.parametrize("dims", [5, 64, 384, 700], ids=str)
@pytest.mark.parametrize("alike", [False, True], ids=["", "many the same"])
def test_the_vectors_whose_signs_agree_most_are_those_of_a_plain_count(
    monkeypatch: pytest.MonkeyPatch, hidden: float, dims: int, alike: bool
) -> None:
    monkeypatch.setattr(vectors, "_KEPT", 40)
    monkeypatch.setattr(vectors, "_BLOCK", 300)
    rng = np.random.default_rng(dims)
    owners = np.repeat(np.arange(900, dtype=np.int32), rng.integers(0, 4, 900))
    coded = rng.integers(-127, 128, (len(owners), dims)).astype(np.int8)
    if alike:
        coded[rng.random(len(coded)) < 0.8] = coded[0]
    seen = rng.random(900) >= hidden
    signs = Signs.of(coded)
    near = Near(coded, owners, 900, signs)
    bits = coded > signs.middle
    for row in coded[rng.integers(0, len(coded), 10)]:
        apart = np.count_nonzero(bits != (row > signs.middle), axis=1)
        shown = np.flatnonzero(seen[owners])
        want = shown[np.lexsort((shown, apart[shown]))[:40]]
        packed = vectors._signs(row[None], signs.middle)[0]
        assert np.array_equal(near._agreeing(signs.words, packed, seen), np.sort(want))


def test_the_sentences_of_a_passage_are_looked_at_one_by_one() -> None:
    rows, coded, _ = drawn(20, 3)
    owners = np.repeat(np.arange(20, dtype=np.int32), [3] * 10 + [0, 6] * 5)
    near = Near(coded, owners, 20)
    question = rows[7].astype(np.float32)
    first, together, second = near.about(np.arange(20), question)
    for passage in range(20):
        mine = coded[owners == passage] / 127
        cosines = sorted(near.each(passage, question))
        assert cosines == pytest.approx(sorted(mine @ question), abs=1e-5)
        if not len(mine):
            assert first[passage] == together[passage] == second[passage] == 0
            continue
        assert (second[passage], first[passage]) == pytest.approx(cosines[-2:], abs=1e-6)
        middle = mine.mean(axis=0)
        assert together[passage] == pytest.approx(middle @ question / np.linalg.norm(middle), abs=1e-4)
    at, cosines_of_all = near.nearest(question, np.ones(20, bool))
    assert at.tolist() == [p for p in range(20) if (owners == p).any()]
    assert cosines_of_all == pytest.approx(first[at], abs=1e-6)


def test_signs_are_sealed_where_there_are_many_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, coded, _ = drawn(100, 2)
    np.save(tmp_path / "vectors.npy", coded)
    write_signs(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.npy"]
    monkeypatch.setattr(vectors, "_EXACT", 100)
    monkeypatch.setattr(vectors, "_BLOCK", 64)
    write_signs(tmp_path)
    held, made = Signs.read(tmp_path), Signs.of(coded)
    assert np.array_equal(held.middle, made.middle)
    assert np.array_equal(held.words, made.words)


def test_an_index_is_asked_with_the_model_that_made_it(tmp_path: Path, address: str) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.txt").write_text("解約の受付は三時まで。手数料は無料。", encoding="utf-8")
    one, other = (open_embedder({"model": name, "url": address}) for name in ("one", "other"))
    index([Collection("rules", tmp_path / "rules")], tmp_path / "index", one)
    hit = Searcher(tmp_path / "index", one, Rights(None)).search("解約")[0]
    assert (hit.ranks, len(hit.nearness)) == ({"words": 1, "vectors": 1}, 2)
    with pytest.raises(UsageError, match=r"made with 'one@.* asked with 'other@"):
        Searcher(tmp_path / "index", other, Rights(None)).search("解約")
    assert Searcher(tmp_path / "index", None, Rights(None)).search("解約")


def test_fusing_and_ordering() -> None:
    assert fuse([[1, 2, 3], [2, 3, 1]]) == [2, 1, 3]
    assert fuse([[5], [4]]) == [4, 5]
    assert fuse([]) == []
    pattern = wanted("いつ設立されましたか")
    assert pattern is not None
    assert pattern.search("2001年に設立")
    assert wanted("理由は何か") is None
