"""The native engine: one base in memory, any number of adapters beside it, several answers at once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import uuid
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from tensaku.engines.calls import CallReader, calls_grammar, find_form
from tensaku.engines.native.adapter import Adapter, combined, load_adapter
from tensaku.engines.native.answer import Answer
from tensaku.engines.native.choose import Chooser, Limit
from tensaku.engines.native.drafter import Drafter, Known, study
from tensaku.engines.native.embed import Embedding
from tensaku.engines.native.forms import Form, as_written, closest
from tensaku.engines.native.limits import Fits, Words, choices_grammar, schema_grammar
from tensaku.engines.native.loop import CHUNK, Loop
from tensaku.engines.native.model import Model, Precision
from tensaku.engines.native.numbers import KnownNumbers
from tensaku.engines.native.probe import fastest
from tensaku.engines.native.trust import Trust
from tensaku.engines.protocol import Request, Stream
from tensaku.engines.requests import base_hash, check_fits, check_request
from tensaku.engines.resolve import PRECISION, SLOTS
from tensaku.errors import NotFound, UsageError
from tensaku.machine import give_back_memory
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import Message

__all__ = ["NativeEngine"]

_SUM = re.compile(r"[^+:]+:\d+(\.\d+)?(\+[^+:]+:\d+(\.\d+)?)*")
"""A weighted sum of adapters: name:weight, joined by +."""
_SUMS_KEPT = 16

_BESIDE = 200
"""Characters before the draft, in the question, that the answer may take words from."""
_REVISION = "5"
"""Raised whenever answers may come out differently for the same weights."""


class NativeEngine:
    """An `Engine` over the base model in a folder.

    Answers are greedy and depend on the request alone: they are the same, token by token, whether a request runs by
    itself or among others, and on any number of threads.

    Args:
        base: folder with config.json, safetensors and tokenizer.json.
        precision: "int8" (weights 8 bits per output channel, activations 8 bits by blocks of 64), "fp32", or "auto":
            the faster of the two here, as `probe` measures it.
        context: most tokens that prompt and answer may have together; None: 2,048, or the base's own if that is less.
        slots: answers that run at once; more wait in the order in which they came.
        threads: for the int8 products; None: one for each processor, or OMP_NUM_THREADS if that is set.
        memory_mb: bound of keys and values; None: as much as `slots` answers of a whole context need.
        chunk: rows of new prompts that one step reads while others write; few keep each step short.
        processor: what the pass is compiled for, as `-march` names it; None: torch computes it.

    Raises:
        UsageError: the folder is no model that the decoder knows, or an argument is out of range.
    """

    name = "native"
    can: tuple[str, ...] = ("sampling", "logprobs", "json", "text", "facts", "embeddings", "choices")
    """And tools, where the model's chat template has them."""

    def __init__(
        self,
        base: Path,
        *,
        precision: Precision | Literal["auto"] = PRECISION,
        context: int | None = None,
        slots: int = SLOTS,
        threads: int | None = None,
        memory_mb: int | None = None,
        chunk: int = CHUNK,
        processor: str | None = "native",
    ) -> None:
        threads = _processors() if threads is None else threads
        _check(base, precision=precision, context=context, slots=slots, threads=threads, chunk=chunk)
        if precision == "auto":
            precision = fastest(base, threads=threads, processor=processor)
        self.precision: Precision = precision
        self._tokenizer = Tokenizer.load(base)
        memory = None if memory_mb is None else memory_mb << 20
        self._model = Model(
            base,
            precision=precision,
            context=context,
            slots=slots,
            threads=threads,
            memory=memory,
            processor=processor,
        )
        self._slots = slots
        self.context = self._model.context
        self.version = f"{_REVISION}-{precision}" + ("-torch" if precision == "int8" and self.road == "torch" else "")
        self._base_hash = base_hash(base)
        self._adapters: dict[str, Adapter] = {}
        self._known: weakref.WeakKeyDictionary[Adapter, _Learnt] = weakref.WeakKeyDictionary()
        self._unlearnt = _Learnt(b"", as_written, Known(None, Trust()))
        self._sums: dict[tuple[tuple[str, float], ...], Adapter] = {}
        self._sums_lock = threading.Lock()
        self._words = Words(self._tokenizer, self._model.shape.vocabulary)
        self._form = find_form(self._tokenizer.render, self._tokenizer.marks)
        self.can = (*NativeEngine.can, *(["tools"] if self._form is not None else []))
        self._lock = threading.Lock()
        self._loop = Loop(self._model, slots, chunk)
        self._finalizer = weakref.finalize(self, _close, self._loop, self._model)

    def submit(self, request: Request) -> Stream:
        """Start one answer; returns at once. It has at most as many tokens as asked for and as the context leaves.

        Raises:
            UsageError: the prompt leaves no room for an answer in the context, or the request makes no sense.
            NotFound: no adapter of that name is loaded.
            EngineError: the engine is closed.
        """
        adapter = self._adapter(request.adapter)
        check_request(request, self.can)
        prompt = self._prompt(request)
        check_fits(request, len(prompt), self.context)
        answer = Answer(
            request,
            prompt,
            adapter,
            self._tokenizer,
            self.context - len(prompt),
            drafter=self._drafter(request, adapter),
            chooser=self._chooser(request),
            reader=CallReader(self._form, _call_id) if self._form and request.tools else None,
        )
        self._loop.add(answer)
        return answer

    def _prompt(self, request: Request) -> list[int]:
        if request.text is None:
            return self._tokenizer.chat(request.messages, json.loads(request.tools) if request.tools else ())
        return [self._tokenizer.start, *self._tokenizer.encode(request.text)]

    def embed(self, texts: Sequence[str], adapter: str | None = None) -> tuple[list[list[float]], int]:
        """A vector of length 1 a text, the mean of its last hidden states, and how many tokens were read.

        Raises:
            TooLong: a text does not fit into the context.
            NotFound: no adapter of that name is loaded.
            EngineError: the engine failed, or is closed.
        """
        found = self._adapter(adapter)
        ids = [[self._tokenizer.start, *self._tokenizer.encode(text)] for text in texts]
        for text, words in zip(texts, ids, strict=True):
            check_fits(Request((), text=text), len(words), self.context)
        work = Embedding(ids, found)
        self._loop.embed(work)
        return work.wait(), sum(map(len, ids))

    def measure(self, messages: tuple[Message, ...]) -> int:
        """How many tokens of the context a conversation takes, up to where its answer begins."""
        return len(self._tokenizer.chat(messages))

    def load_adapter(self, name: str, folder: Path) -> str:
        """Load a PEFT folder under `name` while requests run; returns its content hash (SHA-256, hex).

        A name that is loaded already names the new adapter from then on; answers on their way keep the old one.

        Raises:
            UsageError: the folder is no adapter for this base.
        """
        adapter = load_adapter(Path(folder), self._model.shape, self._model.weight)
        with self._lock:
            same = next((a for a in self._adapters.values() if a.hash == adapter.hash), adapter)
            self._model.prepare(same)
            self._adapters = {**self._adapters, name: same}
        return adapter.hash

    def unload_adapter(self, name: str) -> None:
        """Forget the adapter `name`; answers on their way keep it to their end.

        Raises:
            NotFound: no adapter of that name is loaded.
        """
        with self._lock:
            self._adapter(name)
            self._adapters = {n: a for n, a in self._adapters.items() if n != name}
        give_back_memory()  # also of those unloaded before whose answers have ended since

    def adapters(self) -> dict[str, str]:
        """Name -> content hash of each loaded adapter."""
        return {name: adapter.hash for name, adapter in self._adapters.items()}

    def identity(self, adapter: str | None) -> dict[str, str]:
        """What answers: `adapter` and `base` (content hashes; empty for the base alone), `engine`, `version`.

        Raises:
            NotFound: no adapter of that name is loaded.
        """
        found = self._adapter(adapter)
        hash_ = found.hash if found else ""
        return {"adapter": hash_, "base": self._base_hash, "engine": self.name, "version": self.version}

    def load(self) -> dict[str, int]:
        """How busy it is: answers `running` and `waiting`, and `slots`."""
        running, waiting = self._loop.load()
        return {"running": running, "waiting": waiting, "slots": self._slots}

    def close(self) -> None:
        """End all answers (their iterators raise EngineError) and the engine's thread."""
        self._finalizer()

    @property
    def road(self) -> str:
        """What computes the passes: "compiled" or "torch"."""
        return self._model.pass_.kind

    def learn(self, name: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Mine what answers of the adapter `name` can be guessed from: pairs of a draft and the final made of it.

        It speeds answers with a prediction up and alters none.

        Raises:
            NotFound: no adapter of that name is loaded.
        """
        adapter, pairs, encode = self._adapter(name), list(pairs), self._tokenizer.encode
        if adapter is None:
            return
        told = hashlib.sha256(repr(pairs).encode("utf-8", "surrogatepass")).digest()
        same = next((known for known in list(self._known.values()) if known.told == told), None)
        if same is not None:  # many adapters of one job: what it says is kept once
            self._known[adapter] = same._replace(known=Known(same.known.house, same.known.trust.copy()))
            return
        form = closest(pairs, encode)
        known = study((encode(form(draft)), encode(final)) for draft, final in pairs)
        self._known[adapter] = _Learnt(told, form, known)

    def _drafter(self, request: Request, adapter: Adapter | None) -> Drafter | None:
        if not request.prediction:
            return None
        _, form, known = self._known.get(adapter, self._unlearnt) if adapter else self._unlearnt
        asked = request.messages[-1].content if request.messages else ""
        before, there, _ = asked.partition(request.prediction)
        beside = self._tokenizer.encode(before[-_BESIDE:]) if there else []
        return Drafter(self._tokenizer.encode(form(request.prediction)), known, beside)

    def _chooser(self, request: Request) -> Chooser | None:
        limits: list[Limit] = []
        if request.facts is not None:
            limits.append(KnownNumbers(request.facts, self._words))
        if request.schema is not None:
            limits.append(Fits(schema_grammar(request.schema), self._words))
        if request.choices:
            limits.append(Fits(choices_grammar(request.choices), self._words))
        if request.tools is not None and self._form is not None:
            tools, parallel = json.loads(request.tools), request.parallel_calls
            special = self._words.special
            grammar = calls_grammar(self._form, tools, request.tool_choice, parallel=parallel, special=special)
            limits.append(Fits(grammar, self._words))
        if request.temperature <= 0 and request.logprobs is None and not limits:
            return None
        return Chooser(
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
            logprobs=request.logprobs,
            limits=limits,
            spell=lambda word: self._tokenizer.decode([word]),
        )

    def _adapter(self, name: str | None) -> Adapter | None:
        if name is None:
            return None
        adapter = self._adapters.get(name)
        if adapter is None and _SUM.fullmatch(name):
            return self._combined(name)
        if adapter is None:
            raise NotFound("adapter", name, self._adapters)
        return adapter

    def _combined(self, name: str) -> Adapter:
        """The adapters of "a:0.7+b:0.3" in one; kept while they are the same."""
        parts = []
        for said in name.split("+"):
            one, _, weight = said.rpartition(":")
            found = self._adapter(one)
            assert found is not None
            parts.append((found, float(weight)))
        key = tuple((adapter.hash, weight) for adapter, weight in parts)
        with self._sums_lock:
            made = self._sums.get(key)
            if made is None:
                made = self._sums[key] = combined(parts)
                self._model.prepare(made)
                while len(self._sums) > _SUMS_KEPT:
                    self._sums.pop(next(iter(self._sums)))
        return made


class _Learnt(NamedTuple):
    """What lessons say, whose digest is `told`: how the house writes, and what it does."""

    told: bytes
    form: Form
    known: Known


def _call_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


def _close(loop: Loop, model: Model) -> None:
    loop.close()
    model.close()


def _check(base: Path, *, precision: str, context: int | None, **counts: int) -> None:
    if precision not in ("auto", "int8", "fp32"):
        raise UsageError(f"the precision {precision!r} is not known", fix="Known: auto, int8, fp32")
    for name, value, least in (("context", context, 16), *((name, value, 1) for name, value in counts.items())):
        if value is not None and value < least:
            raise UsageError(f"{name} is {value}", fix=f"Set {name} to at least {least}")
    if not base.is_dir():
        raise UsageError("there is no such folder", where=base, fix="Name the folder of a base model")
    if precision == "int8" and "fbgemm" not in torch.backends.quantized.supported_engines:
        raise UsageError("this processor has no FBGEMM (x86 with AVX2)", fix='Use precision = "fp32"')


def _processors() -> int:
    """Threads to use if nobody says; torch's own figure depends on the thread that asks."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
