"""The engine `transformers`: models that the native one does not compute, one answer at a time."""

from __future__ import annotations

import importlib
import json
import logging
import threading
import weakref
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tensaku.engines.native.answer import Answer
from tensaku.engines.protocol import Request, Stream
from tensaku.engines.requests import adapter_hash, base_hash, check_fits, check_request
from tensaku.engines.resolve import CONTEXT
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.models.foreign import context_of, load_causal, quiet
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import Message

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TransformersEngine"]

_REVISION = "1-fp32"
"""Raised whenever answers may come out differently for the same weights."""

_log = logging.getLogger(__name__)


class TransformersEngine:
    """An `Engine` over any causal model that Transformers knows, in fp32; adapters through PEFT.

    Answers are greedy. They are written one after the other, in the order in which they were asked for; an adapter is
    loaded between two of them.

    Args:
        base: folder with config.json, safetensors and tokenizer.json.
        context: most tokens that prompt and answer may have together; None: 2,048, or the base's own if that is less.

    Raises:
        UsageError: the folder is no model that Transformers knows, or `context` is out of range.
    """

    name = "transformers"
    version = _REVISION

    def __init__(self, base: Path, *, context: int | None = None) -> None:
        if not base.is_dir():
            raise UsageError("there is no such folder", where=base, fix="Name the folder of a base model")
        most = context_of(base)
        self.context = min(CONTEXT, most) if context is None else context
        if not 16 <= self.context <= most:
            what = f"a context of {self.context} tokens does not fit the base, which was made for {most}"
            raise UsageError(what, where=base, fix=f"Set context to 16 or more, at most {most}")
        self._tokenizer = Tokenizer.load(base)
        self._base_hash = base_hash(base)
        self._writer = _Writer(load_causal(base))
        self._adapters: dict[str, str] = {}
        self._finalizer = weakref.finalize(self, self._writer.close)

    def submit(self, request: Request) -> Stream:
        """Start one answer; returns at once. It has at most as many tokens as asked for and as the context leaves.

        Raises:
            UsageError: the prompt leaves no room for an answer in the context, or the request makes no sense.
            NotFound: no adapter of that name is loaded.
            EngineError: the engine is closed.
        """
        adapter = self._adapter(request.adapter)
        check_request(request)
        prompt = self._tokenizer.chat(request.messages)
        check_fits(request, len(prompt), self.context)
        answer = Answer(request, prompt, None, self._tokenizer, self.context - len(prompt))
        self._writer.add(answer, adapter)
        return answer

    def measure(self, messages: tuple[Message, ...]) -> int:
        """How many tokens of the context a conversation takes, up to where its answer begins."""
        return len(self._tokenizer.chat(messages))

    def load_adapter(self, name: str, folder: Path) -> str:
        """Load a PEFT folder under `name`, after the answer being written; returns its content hash (SHA-256, hex).

        A name that is loaded already names the new adapter from then on; waiting answers keep the old one.

        Raises:
            UsageError: the folder is no adapter for this base.
        """
        digest = adapter_hash(Path(folder))
        self._writer.load(digest, Path(folder))
        self._adapters = {**self._adapters, name: digest}
        return digest

    def adapters(self) -> dict[str, str]:
        """Name -> content hash of each loaded adapter."""
        return dict(self._adapters)

    def identity(self, adapter: str | None) -> dict[str, str]:
        """What answers: `adapter` and `base` (content hashes; empty for the base alone), `engine`, `version`.

        Raises:
            NotFound: no adapter of that name is loaded.
        """
        digest = self._adapter(adapter)
        return {"adapter": digest, "base": self._base_hash, "engine": self.name, "version": self.version}

    def load(self) -> dict[str, int]:
        """How busy it is: answers `running` and `waiting`, and `slots`."""
        running, waiting = self._writer.busy()
        return {"running": running, "waiting": waiting, "slots": 1}

    def close(self) -> None:
        """End all answers (their iterators raise EngineError) and the engine's thread."""
        self._finalizer()

    def _adapter(self, name: str | None) -> str:
        if name is None:
            return ""
        if name not in self._adapters:
            raise NotFound("adapter", name, self._adapters)
        return self._adapters[name]


class _Writer:
    """The model, and the thread that writes the answers handed to `add`."""

    def __init__(self, model: Any) -> None:
        transformers: Any = importlib.import_module("transformers")

        model.generation_config = transformers.GenerationConfig(do_sample=False)  # not what the folder would like
        self._model = model
        self._tuned: Any = None
        self._turn = threading.Lock()
        """Held by whoever uses or changes the model."""
        self._wake = threading.Condition()
        self._waiting: deque[tuple[Answer, str]] = deque()
        self._now: Answer | None = None
        self._closing = False
        self._thread: threading.Thread | None = None

    def add(self, answer: Answer, adapter: str) -> None:
        """Queue an answer by the adapter of this hash ("": the base alone); returns at once."""
        with self._wake:
            if self._closing:
                raise EngineError("the engine is closed")
            self._waiting.append((answer, adapter))
            if self._thread is None:
                self._thread = threading.Thread(target=self._main, name="tensaku-transformers", daemon=True)
                self._thread.start()
            self._wake.notify()

    def busy(self) -> tuple[int, int]:
        """Answers that are written and answers that wait."""
        return int(self._now is not None), len(self._waiting)

    def close(self) -> None:
        """End the thread; answers that have not ended fail."""
        with self._wake:
            self._closing = True
            thread = self._thread
            self._wake.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def load(self, digest: str, folder: Path) -> None:
        """Put the adapter in `folder` beside the model under its hash; nothing happens if it is there."""
        config = _lora_config(folder)
        with self._turn, quiet():
            if self._tuned is not None and digest in self._tuned.peft_config:
                return
            try:
                self._put(digest, folder, config)
            except Exception as error:  # PEFT says what does not fit in exceptions of many kinds
                if self._tuned is not None and digest in self._tuned.peft_config:
                    self._tuned.delete_adapter(digest)
                if isinstance(error, UsageError):
                    raise
                what = f"the adapter does not fit the base ({str(error).strip().splitlines()[0][:300]})"
                raise UsageError(what, where=folder, fix="It belongs to another base") from error

    def _put(self, digest: str, folder: Path, config: Any) -> None:
        import peft

        if self._tuned is None:
            self._tuned = peft.PeftModel(self._model, config, adapter_name=digest)
        else:
            self._tuned.add_adapter(digest, config)
        found = self._tuned.load_adapter(folder, digest)
        missing = sorted(found.missing_keys)
        unknown = sorted(key for key in found.unexpected_keys if "lora_" in key)
        if missing or unknown:
            name = (missing or unknown)[0].replace(f".{digest}", "")
            what = f"the adapter lacks {name}" if missing else f"the adapter changes {name}, which the base has not"
            raise UsageError(what, where=folder, fix="It belongs to another base")
        self._tuned.eval()

    def _main(self) -> None:
        while (asked := self._next()) is not None:
            self._now = asked[0]
            try:
                with self._turn:
                    self._write(*asked)
            except Exception as error:  # whatever it is, no reader may be left waiting
                _log.exception("an answer failed")
                asked[0].fail(f"the engine failed: {type(error).__name__}: {error}", retryable=True)
            finally:
                self._now = None
        for answer, _ in self._waiting:
            answer.fail("the engine was closed while it wrote this answer", retryable=True)
        self._waiting.clear()

    def _next(self) -> tuple[Answer, str] | None:
        with self._wake:
            while not (self._closing or self._waiting):
                self._wake.wait()
            return None if self._closing else self._waiting.popleft()

    @torch.inference_mode()
    def _write(self, answer: Answer, adapter: str) -> None:
        if self._tuned is not None:
            if adapter:
                self._tuned.set_adapter(adapter)
                self._tuned.base_model.enable_adapter_layers()
            else:
                self._tuned.base_model.disable_adapter_layers()
        self._generate(answer)
        if answer.finish is None:
            if self._closing:
                answer.fail("the engine was closed while it wrote this answer", retryable=True)
            else:
                answer.end("cancelled")

    def _generate(self, answer: Answer) -> None:
        if answer.cancelled:
            return

        def ends(ids: Tensor, scores: Any, **rest: Any) -> Tensor:
            """Called after each token."""
            self._drop_cancelled()
            over = answer.cancelled or self._closing or answer.take(int(ids[0, -1]))
            if answer.finish is None:
                answer.push()
            return torch.tensor([over])

        ids = torch.tensor([answer.tokens])
        self._model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=answer.limit, stopping_criteria=[ends]
        )

    def _drop_cancelled(self) -> None:
        with self._wake:
            gone = [pair for pair in self._waiting if pair[0].cancelled]
            for pair in gone:
                self._waiting.remove(pair)
        for answer, _ in gone:
            answer.end("cancelled")


def _lora_config(folder: Path) -> Any:
    """PEFT's settings of the adapter in `folder`, read here so that PEFT looks for nothing elsewhere."""
    peft: Any = importlib.import_module("peft")
    path = folder / "adapter_config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        kind = str(values.get("peft_type"))
        if kind.upper() != "LORA":
            fix = "The engine runs LoRA adapters only"
            raise UsageError(f"the adapter is of type {kind!r}", where=path, fix=fix)
        with quiet():
            config = peft.LoraConfig.from_peft_type(**values)
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise UsageError(f"the adapter's configuration cannot be read ({error})", where=path) from None
    config.inference_mode = True
    return config
