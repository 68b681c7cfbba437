"""Parts to test with: a scripted engine, tiny data, a temporary workspace. For our tests and for authors of plug-ins.

ScriptedEngine    a real engine (threads, streaming, cancelling, adapters) whose words come from a function
tiny_pairs        a dozen pairs of draft and final, the same at every call
serving           an ASGI app behind a real server on a free port of loopback
write_adapter     an adapter folder in PEFT's layout
tiny_model        a random model of three layers in a folder, tokenizer included, that tunes and answers in seconds
tiny_foreign_model  one of a family that only Transformers computes
tiny_desk         a workspace with such a model and sixty pairs, whose whole road takes seconds
workspace         a temporary folder that home and working directory point to while it lives
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tensaku.engines.protocol import Piece, Request, TokenScore
from tensaku.engines.requests import TooLong, check_request
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.records import Finish, Message, Pair, Usage
from tensaku.testing.desk import tiny_desk
from tensaku.testing.foreign import tiny_foreign_model
from tensaku.testing.model import CHARACTERS, tiny_model

__all__ = [
    "CHARACTERS",
    "Answer",
    "ScriptedEngine",
    "ScriptedStream",
    "echo",
    "serving",
    "tiny_desk",
    "tiny_foreign_model",
    "tiny_model",
    "tiny_pairs",
    "workspace",
    "write_adapter",
]

Answer = Callable[[tuple[Message, ...]], str]
"""A rule: the whole answer to a conversation. It may raise EngineError, which then comes out of the stream."""


def echo(messages: tuple[Message, ...]) -> str:
    """The last user message again."""
    return next((m.content for m in reversed(messages) if m.role == "user"), "")


class ScriptedStream:
    """One answer on its way, written by a thread of its own."""

    def __init__(self, engine: ScriptedEngine, request: Request, answer: Answer, prompt_tokens: int) -> None:
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self._engine, self._request, self._answer = engine, request, answer
        self._prompt_tokens = prompt_tokens
        self._queue: queue.SimpleQueue[Piece | EngineError | None] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._write, name="scripted-answer", daemon=True)

    def __iter__(self) -> Iterator[Piece]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, EngineError):
                raise item
            yield item
        self._queue.put(None)  # who iterates again finds the end again

    def cancel(self) -> None:
        """End this answer before its next piece."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """True once `cancel` was called."""
        return self._cancelled.is_set()

    def _write(self) -> None:
        try:
            self._write_pieces()
        except EngineError as error:
            self._queue.put(error)
        except Exception as error:  # a rule that fails must not leave its reader waiting for ever
            self._queue.put(EngineError(f"the scripted answer failed: {error!r}"))
        finally:
            self._engine._ended(self)
            self._queue.put(None)

    def _write_pieces(self) -> None:
        request, engine = self._request, self._engine
        text = self._answer(request.messages or (Message("user", request.text or ""),))
        text += f"[{request.seed}]" if request.temperature else ""
        cuts = [at for stop in request.stop if stop and (at := text.find(stop)) >= 0]
        text = text[: min(cuts)] if cuts else text
        room = min(request.max_tokens, engine.context - self._prompt_tokens)
        finish: Finish = "length" if len(text) > room else "stop"
        text, written = text[:room], 0
        for start in range(0, len(text), engine.piece):
            if self._cancelled.wait(engine.delay) if engine.delay else self._cancelled.is_set():
                finish = "cancelled"
                break
            piece = text[start : start + engine.piece]
            written += len(piece)
            top = tuple(("、。"[n], -1.0 - n) for n in range(min(request.logprobs or 0, 2)))
            scores = () if request.logprobs is None else tuple(TokenScore(c, -0.5, top) for c in piece)
            self._queue.put(Piece(piece, len(piece), scores))
        self.usage = Usage(self._prompt_tokens, written)
        self.finish = finish


class ScriptedEngine:
    """An engine whose answers a function writes. A character counts as one token.

    Everything else is as with a model: `submit` returns at once, each answer comes piece by piece from a thread, may be
    cancelled, stops at `stop`, `max_tokens` and the context, and adapters are loaded and asked for by name.

    Args:
        answer: the rule for the base model.
        by_adapter: rules for adapters by name; an adapter without one answers by `answer`.
        delay: seconds before each piece; may be set again at any time.
        piece: characters in a piece.
        context: most characters that prompt and answer may have together.
        can: abilities beyond greedy answers. Sampling adds the seed to the answer; each character has the log
            probability -0.5; what is to fit a schema, or continues a text, is the rule's business; a text's vector is
            its length and its number of different characters.
    """

    def __init__(
        self,
        answer: Answer = echo,
        *,
        by_adapter: Mapping[str, Answer] | None = None,
        delay: float = 0.0,
        piece: int = 3,
        context: int = 8192,
        can: Collection[str] = (),
    ) -> None:
        self.name, self.version, self.context = "scripted", "1", context
        self.can = frozenset(can)
        self.delay, self.piece = delay, piece
        self.requests: list[Request] = []
        self._answer, self._by_adapter = answer, dict(by_adapter or {})
        self._adapters: dict[str, str] = {}
        self._running: set[ScriptedStream] = set()
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, request: Request) -> ScriptedStream:
        """Start one answer; returns at once.

        Raises:
            UsageError: the prompt does not fit into the context.
            NotFound: no adapter of that name is loaded.
            EngineError: the engine is closed.
        """
        if self._closed:
            raise EngineError("the engine is closed")
        if request.adapter is not None and request.adapter not in self._adapters:
            raise NotFound("adapter", request.adapter, self._adapters)
        check_request(request, self.can)
        prompt = self.measure(request.messages) + len(request.text or "")
        if prompt >= self.context:
            raise TooLong(
                f"the text is too long: {prompt} tokens, and the model holds {self.context} with its answer",
                fix="Shorten the text or split it.",
            )
        answer = self._by_adapter.get(request.adapter or "", self._answer)
        stream = ScriptedStream(self, request, answer, prompt)
        with self._lock:
            self.requests.append(request)
            self._running.add(stream)
        stream._thread.start()
        return stream

    def measure(self, messages: tuple[Message, ...]) -> int:
        """How many characters a conversation has."""
        return sum(len(m.content) for m in messages)

    def embed(self, texts: Sequence[str], adapter: str | None = None) -> tuple[list[list[float]], int]:
        """A vector a text, and how many characters were read."""
        return [[float(len(text)), float(len(set(text)))] for text in texts], sum(map(len, texts))

    def load_adapter(self, name: str, folder: Path) -> str:
        """Take the PEFT folder's content hash under `name`.

        Raises:
            UsageError: the folder is no adapter.
        """
        files = [folder / "adapter_config.json", folder / "adapter_model.safetensors"]
        for file in files:
            if not file.is_file():
                raise UsageError(f"no adapter: {file.name} is missing", where=folder)
        digest = hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()
        self._adapters = {**self._adapters, name: digest}
        return digest

    def unload_adapter(self, name: str) -> None:
        """Forget the adapter `name`.

        Raises:
            NotFound: no adapter of that name is loaded.
        """
        if name not in self._adapters:
            raise NotFound("adapter", name, self._adapters)
        self._adapters = {n: hash_ for n, hash_ in self._adapters.items() if n != name}

    def adapters(self) -> dict[str, str]:
        """Name -> content hash of each loaded adapter."""
        return dict(self._adapters)

    def identity(self, adapter: str | None) -> dict[str, str]:
        """What answers: `adapter` and `base` (content hashes), `engine`, `version`."""
        if adapter is not None and adapter not in self._adapters:
            raise NotFound("adapter", adapter, self._adapters)
        base = hashlib.sha256(b"scripted base").hexdigest()
        hash_ = self._adapters[adapter] if adapter is not None else ""
        return {"adapter": hash_, "base": base, "engine": self.name, "version": self.version}

    @property
    def running(self) -> int:
        """Answers that are being written now."""
        with self._lock:
            return len(self._running)

    def close(self) -> None:
        """Cancel all answers; later requests are refused."""
        self._closed = True
        with self._lock:
            streams = list(self._running)
        for stream in streams:
            stream.cancel()
        for stream in streams:
            stream._thread.join(timeout=5)

    def _ended(self, stream: ScriptedStream) -> None:
        with self._lock:
            self._running.discard(stream)


FUNDS = ("国内株式ファンド", "外国債券ファンド", "国内リートファンド")
MANAGERS = ("青葉アセット", "Harbor Point")


def tiny_pairs(n: int = 12) -> list[Pair]:
    """`n` short pairs over consecutive months from 2025-01, two managers and three funds; the same at every call."""
    pairs = []
    for i in range(n):
        year, month = 2025 + i // 12, 1 + i % 12
        change, fund, manager = 1.2 + 0.3 * i, FUNDS[i % 3], MANAGERS[i % 2]
        draft = (
            f"当月の市場は{change:.1f}パーセントの上昇となった。弊社ファンドも堅調に推移しました。今後も必ず上昇する。"
        )
        final = f"当月の市場は{change:.1f}％上昇しました。当ファンドも堅調に推移しました。今後も上昇を見込みます。"
        pairs.append(
            Pair(
                id=f"tiny-{i:03d}",
                draft=draft,
                final=final,
                manager=manager,
                fund=fund,
                section=("market", "performance", "outlook")[i % 3],
                as_of=f"{year}-{month:02d}",
                family=f"{fund}/{year}-{month:02d}",
                source=f"tiny:{i + 1}",
            )
        )
    return pairs


def write_adapter(folder: Path, *, seed: int = 0) -> Path:
    """An adapter folder in PEFT's layout with one tensor of two numbers; another `seed`, another content hash."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    body = struct.pack("<Q", len(header)) + header + struct.pack("<2f", float(seed), 1.0)
    (folder / "adapter_model.safetensors").write_bytes(body)
    return folder


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """`app` (ASGI) behind uvicorn on a free port of 127.0.0.1, in a thread; gives its URL."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise RuntimeError("the server did not start")
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A temporary folder. While it lives, HOME, the XDG folders and the working directory lie inside it."""
    names = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    before, folder_before = {n: os.environ.get(n) for n in names}, Path.cwd()
    with tempfile.TemporaryDirectory(prefix="tensaku-") as path:
        root = Path(path)
        try:
            for name in names:
                os.environ[name] = str(root / "home" / name.lower())
                (root / "home" / name.lower()).mkdir(parents=True)
            (root / "work").mkdir()
            os.chdir(root / "work")
            yield root / "work"
        finally:
            os.chdir(folder_before)
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
