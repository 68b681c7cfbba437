"""The engine `openai`: requests go to another server, answers come back piece by piece."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from tensaku.engines.openai.answer import RemoteAnswer, failure, patiently
from tensaku.engines.openai.breaker import Breaker
from tensaku.engines.protocol import Request, Stream
from tensaku.engines.requests import adapter_hash, base_hash, check_fits, check_request
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import Message

__all__ = ["OpenAIEngine"]

T = TypeVar("T")

ABILITIES = ("sampling", "logprobs", "json", "text", "embeddings", "tools")
"""What can be asked of another server by OpenAI's wire."""

_REVISION = "1"
_OPENING = 30.0
"""Seconds that the server has to say what it offers."""


class OpenAIEngine:
    """An `Engine` whose model runs behind `url`.

    The base's content hash cannot be seen from here: `identity` gives that of the folder `base` and says that it is
    declared. Adapters are named by their content (`tensaku-` and sixteen digits of the hash) on the server, so that no
    cache of one is ever used for another of the same name.

    Its settings have their defaults at the door, in `resolve.py`.

    Args:
        base: the folder of the base model that the server is said to run; its tokenizer counts prompts.
        url: the server's address with `/v1`; for Azure its endpoint.
        model: the base model's name there; None: the only one that it offers, or the first.
        key_env: the environment variable that holds the API key; empty: none is sent.
        api_version: Azure's; `model` is then the deployment.
        context: most tokens that prompt and answer may have together; None: as the server says.
        connect_seconds: longest wait for a connection.
        read_seconds: longest wait for the next piece of an answer.
        retries: how often an answer is begun again that failed before its first piece.
        at_once: requests on their way together; more wait here.
        failures: failures in a row after which the server is left alone.
        pause_seconds: for how long.
        adapters: "load": the server is asked to load them (vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True);
            "served": it has to offer them already, under that name or saying their hash, as another Tensaku does.
        local_root, remote_root: where the server sees the same files under another path: what to replace by what.
        prediction: whether the draft is sent as OpenAI's `prediction`.
        can: what the server offers beyond greedy answers; None: everything that the wire has words for.

    Raises:
        UsageError: an argument is wrong, or the server does not say how long its context is.
        EngineError: the server cannot be reached.
    """

    name = "openai"

    def __init__(
        self,
        base: Path,
        *,
        url: str,
        model: str | None,
        key_env: str,
        api_version: str | None,
        context: int | None,
        connect_seconds: float,
        read_seconds: float,
        retries: int,
        at_once: int,
        failures: int,
        pause_seconds: float,
        adapters: Literal["load", "served"],
        local_root: str,
        remote_root: str,
        prediction: bool,
        can: Sequence[str] | None,
    ) -> None:
        _check(url, retries=retries, at_once=at_once, failures=failures, key_env=key_env, can=can)
        self._how, self._roots, self._predicts = adapters, (local_root, remote_root), prediction
        self._retries = retries
        self.can = frozenset(ABILITIES if can is None else can)
        self._breaker = Breaker(failures, pause_seconds)
        self._tokenizer = Tokenizer.load(base) if (base / "tokenizer.json").exists() else None
        self._base_hash = base_hash(base)
        self._adapters: dict[str, tuple[str, str]] = {}
        """Name -> content hash, and the model's name on the server."""
        self._answers: weakref.WeakSet[RemoteAnswer] = weakref.WeakSet()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tensaku-openai", daemon=True)
        self._thread.start()
        self._closed = False
        self._slots = asyncio.Semaphore(at_once)
        timeouts = (connect_seconds, read_seconds)
        try:
            self._client = self._wait(_client(url, os.environ.get(key_env) if key_env else None, api_version, timeouts))
            cards = {} if api_version else self._wait(self._cards())
            self._model = model or next(iter(cards), "")
            self.context = _context(context, cards.get(self._model, {}), url)
        except BaseException:
            self.close()
            raise
        if not self._model:
            self.close()
            raise UsageError("the server offers no model", where=url, fix="Name one with model = ")
        self.version = f"{_REVISION} {self._model} at {urlsplit(url).netloc}"

    def submit(self, request: Request) -> Stream:
        """Start one answer; returns at once.

        Raises:
            UsageError: the prompt leaves no room for an answer in the context, or the request makes no sense.
            NotFound: no adapter of that name is loaded.
            EngineError: the engine is closed, or the server is left alone after failures.
        """
        model = self._model if request.adapter is None else self._adapter(request.adapter)[1]
        check_request(request, self.can)
        prompt = self._measure(request)
        check_fits(request, prompt, self.context)
        if self._closed:
            raise EngineError("the engine is closed")
        asked = self._asked(request, model, min(request.max_tokens, self.context - prompt))
        answer = RemoteAnswer(self._loop)
        self._answers.add(answer)
        chunks = patiently(lambda: self._chunks(request, asked), self._breaker, self._retries)
        self._loop.call_soon_threadsafe(answer.write, chunks, self._slots)
        return answer

    def measure(self, messages: tuple[Message, ...]) -> int:
        """How many tokens of the context a conversation takes; without the base's tokenizer, its characters."""
        if self._tokenizer is not None:
            return len(self._tokenizer.chat(messages))
        return sum(len(message.content) for message in messages)

    def embed(self, texts: Sequence[str], adapter: str | None = None) -> tuple[list[list[float]], int]:
        """A vector a text, and how many tokens were read.

        Raises:
            NotFound: no adapter of that name is loaded.
            EngineError: the server failed.
        """
        model = self._model if adapter is None else self._adapter(adapter)[1]

        async def ask() -> Any:
            async def once() -> AsyncIterator[Any]:
                yield await self._client.embeddings.create(model=model, input=list(texts), encoding_format="float")

            async with self._slots:
                return await anext(patiently(once, self._breaker, self._retries))

        found = self._wait(ask())
        return [one.embedding for one in sorted(found.data, key=lambda one: one.index)], found.usage.prompt_tokens

    def load_adapter(self, name: str, folder: Path) -> str:
        """Have the server load the PEFT folder, and know it by `name`; returns its content hash (SHA-256, hex).

        Raises:
            UsageError: the folder is no adapter, or the server does not take or offer it.
            EngineError: the server cannot be reached.
        """
        digest = adapter_hash(Path(folder))
        remote = f"tensaku-{digest[:16]}"
        if self._how == "load":
            self._load(remote, Path(folder))
        else:
            cards = self._wait(self._cards())
            saying = (i for i, card in cards.items() if (card.get("tensaku") or {}).get("adapter") == digest)
            found = remote if remote in cards else next(saying, None)
            if found is None:
                what = f"the server offers no adapter {remote} and none of the hash {digest}"
                fix = 'Serve it there under that name, or set adapters = "load"'
                raise UsageError(what, where=str(self._client.base_url), fix=fix)
            remote = found
        self._adapters = {**self._adapters, name: (digest, remote)}
        return digest

    def unload_adapter(self, name: str) -> None:
        """Forget the adapter `name`, and have the server forget it if it was loaded for nobody else.

        Raises:
            NotFound: no adapter of that name is loaded.
            EngineError: the server failed.
        """
        _, remote = self._adapter(name)
        self._adapters = {n: held for n, held in self._adapters.items() if n != name}
        if self._how == "load" and remote not in {held for _, held in self._adapters.values()}:
            self._wait(self._post("/unload_lora_adapter", {"lora_name": remote}))

    def adapters(self) -> dict[str, str]:
        """Name -> content hash of each loaded adapter."""
        return {name: digest for name, (digest, _) in self._adapters.items()}

    def identity(self, adapter: str | None) -> dict[str, str]:
        """What answers: `adapter` and `base` (content hashes), `engine`, `version`; `base-is`: declared, not seen.

        Raises:
            NotFound: no adapter of that name is loaded.
        """
        digest = self._adapter(adapter)[0] if adapter is not None else ""
        about = {"engine": self.name, "version": self.version, "base-is": "declared"}
        return {"adapter": digest, "base": self._base_hash, **about}

    def load(self) -> dict[str, int]:
        """How busy it is: answers `running`, those that wait for a slot here too."""
        return {"running": sum(answer.finish is None and answer.writing for answer in self._answers), "waiting": 0}

    def close(self) -> None:
        """End all answers and the engine's thread."""
        if self._closed:
            return
        self._closed = True

        async def end() -> None:
            answers = list(self._answers)
            for answer in answers:
                answer.cancel()
            await asyncio.gather(*(answer.wait() for answer in answers))
            if hasattr(self, "_client"):
                await self._client.close()

        self._wait(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _adapter(self, name: str) -> tuple[str, str]:
        if name not in self._adapters:
            raise NotFound("adapter", name, self._adapters)
        return self._adapters[name]

    def _measure(self, request: Request) -> int:
        if request.text is None:
            return self.measure(request.messages)
        return len(self._tokenizer.encode(request.text)) if self._tokenizer else len(request.text)

    def _asked(self, request: Request, model: str, max_tokens: int) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "temperature": request.temperature}
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
        if request.stop:
            asked["stop"] = list(request.stop)
        if request.temperature:
            asked["top_p"] = request.top_p
        if request.seed is not None:
            asked["seed"] = request.seed
        if request.text is not None:
            more = {} if request.logprobs is None else {"logprobs": request.logprobs}
            return {**asked, "prompt": request.text, **more}
        asked["messages"] = [_turn(message) for message in request.messages]
        if request.tools is not None:
            named = {"type": "function", "function": {"name": request.tool_choice}}
            choice = request.tool_choice if request.tool_choice in ("auto", "required") else named
            asked |= {"tools": json.loads(request.tools), "tool_choice": choice}
            asked |= {} if request.parallel_calls else {"parallel_tool_calls": False}
        if request.logprobs is not None:
            asked |= {"logprobs": True, "top_logprobs": request.logprobs}
        if request.schema is not None:
            schema = {"name": "answer", "schema": json.loads(request.schema), "strict": True}
            asked["response_format"] = {"type": "json_schema", "json_schema": schema}
        if self._predicts and request.prediction:
            asked["prediction"] = {"type": "content", "content": request.prediction}
        return asked

    async def _chunks(self, request: Request, asked: dict[str, Any]) -> AsyncIterator[Any]:
        ask = self._client.completions if request.text is not None else self._client.chat.completions
        async with await ask.create(**asked) as stream:
            async for chunk in stream:
                yield chunk

    async def _cards(self) -> dict[str, dict[str, Any]]:
        page = await self._client.models.list()
        return {card.id: card.model_dump() for card in page.data}

    def _load(self, remote: str, folder: Path) -> None:
        local, there = self._roots
        path = str(folder.resolve())
        if local:
            root = str(Path(local).resolve())
            if not path.startswith(root):
                fix = "Correct local_root, or move the workspace"
                raise UsageError(f"the adapter does not lie under {root}", where=folder, fix=fix)
            path = there + path[len(root) :]
        try:
            self._wait(self._post("/load_lora_adapter", {"lora_name": remote, "lora_path": path}))
        except EngineError as error:
            if "already" in str(error):  # by another Tensaku, or before a restart of this one: the same content
                return
            if error.retryable:
                raise
            fix = "Start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, where it sees this folder"
            raise UsageError(f"the server did not load the adapter: {error}", where=path, fix=fix) from error

    async def _post(self, path: str, values: dict[str, Any]) -> None:
        await self._client.post(path, body=values, cast_to=str)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives, done in the engine's event loop."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(_OPENING if not hasattr(self, "context") else None)
        except TimeoutError:
            future.cancel()
            raise EngineError(f"the server said nothing within {_OPENING:g} seconds", retryable=True) from None
        except Exception as error:
            raise failure(error) from error


def _turn(message: Message) -> dict[str, Any]:
    """A message as the wire has it."""
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        called = [{"name": call.name, "arguments": call.arguments} for call in message.calls]
        pairs = zip(message.calls, called, strict=True)
        turn["tool_calls"] = [{"id": call.id, "type": "function", "function": function} for call, function in pairs]
        turn["content"] = message.content or None
    return turn | ({"tool_call_id": message.call_id} if message.call_id else {})


async def _client(url: str, key: str | None, api_version: str | None, timeouts: tuple[float, float]) -> Any:
    """The client; made in the event loop that uses it."""
    import openai

    connect, read = timeouts
    timeout = openai.Timeout(read, connect=connect)
    if api_version is not None:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=url, api_key=key or "none", api_version=api_version, timeout=timeout, max_retries=0
        )
    return openai.AsyncOpenAI(base_url=url, api_key=key or "none", timeout=timeout, max_retries=0)


def _context(asked: int | None, card: dict[str, Any], url: str) -> int:
    found = asked if asked is not None else card.get("max_model_len")
    if not isinstance(found, int) or found < 16:
        what = "the server does not say how long its context is" if asked is None else f"context is {asked}"
        raise UsageError(what, where=url, fix="Set context = to its tokens, 16 or more")
    return found


def _check(url: str, *, retries: int, at_once: int, failures: int, key_env: str, can: Sequence[str] | None) -> None:
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise UsageError(f"{url!r} is no address of a server", fix="Write it as http://gpu-host:8000/v1")
    for name, value, least in (("retries", retries, 0), ("at_once", at_once, 1), ("failures", failures, 1)):
        if value < least:
            raise UsageError(f"{name} is {value}", fix=f"Set {name} to at least {least}")
    if key_env and not os.environ.get(key_env):
        raise UsageError(f"the environment variable {key_env} is not set", fix="Set it to the server's API key")
    for ability in can or ():
        if ability not in ABILITIES:
            raise NotFound("ability", ability, ABILITIES)
