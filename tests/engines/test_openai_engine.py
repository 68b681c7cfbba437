"""The contract of an engine, kept by another server: our own as a real process with the tiny model; and its faults."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from tensaku.engines import Engine, open_engine
from tensaku.engines import Request as Asked
from tensaku.engines.openai.breaker import Breaker
from tensaku.engines.requests import adapter_hash
from tensaku.errors import EngineError, MissingExtra, NotFound, UsageError
from tensaku.records import Message
from tensaku.testing import serving, tiny_model, write_adapter

SERVER = """
import sys
from pathlib import Path
from tensaku.engines import open_engine
from tensaku.serve import Served, build_app, run
base, adapter = Path(sys.argv[1]), Path(sys.argv[2])
engine = open_engine("native", base, precision="fp32", threads=1)
engine.load_adapter("a", adapter)
app = build_app(engine=engine, models=[Served("task", "release-1", "a")])
run(app, port=0, grace=0, ready=lambda url: print(url, flush=True))
"""
ASK = (Message("user", "市場は上昇した。"),)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("base") / "model", family="llama")


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter over one layer of the tiny model, strong enough to change its answers."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("adapter")
    config = {
        "peft_type": "LORA",
        "r": 2,
        "lora_alpha": 8,
        "target_modules": ["q_proj"],
        "base_model_name_or_path": "x",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    random = torch.Generator().manual_seed(3)
    at = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"
    tensors = {}
    for layer in range(3):
        tensors[at.format(layer, "A")] = torch.randn((2, 32), generator=random)
        tensors[at.format(layer, "B")] = torch.randn((32, 2), generator=random)
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def server(base: Path, adapter: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(base), str(adapter)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def remote(base: Path, server: str) -> Iterator[Engine]:
    engine = open_engine("openai", base, url=f"{server}/v1", model="base", adapters="served", can=[])
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def native(base: Path, adapter: Path) -> Iterator[Engine]:
    engine = open_engine("native", base, precision="fp32", threads=1)
    engine.load_adapter("mine", adapter)
    yield engine
    engine.close()


def text(engine: Engine, **more: Any) -> tuple[str, str | None, Any]:
    stream = engine.submit(Asked(ASK, **{"max_tokens": 24, **more}))
    return "".join(piece.text for piece in stream), stream.finish, stream.usage


def test_it_answers_as_the_model_behind_it_by_base_and_by_adapter(
    remote: Engine, native: Engine, adapter: Path
) -> None:
    assert isinstance(remote, Engine)
    assert text(remote) == text(native)
    assert remote.load_adapter("mine", adapter) == adapter_hash(adapter)
    assert text(remote, adapter="mine") == text(native, adapter="mine")
    assert text(remote, adapter="mine") != text(remote)
    assert remote.adapters() == native.adapters()
    assert remote.context == native.context
    assert remote.measure(ASK) == native.measure(ASK)
    said, known = remote.identity("mine"), native.identity("mine")
    assert (said["adapter"], said["base"], said["base-is"]) == (known["adapter"], known["base"], "declared")
    assert said["engine"] == "openai"


def test_stop_many_at_once_and_cancel(remote: Engine, native: Engine) -> None:
    whole = text(native)[0]
    assert text(remote, stop=(whole[5:7],)) == text(native, stop=(whole[5:7],))
    streams = [remote.submit(Asked((Message("user", f"{n}月"),), max_tokens=12)) for n in range(12)]
    found = ["".join(p.text for p in stream) for stream in streams]
    assert found == [text_of(native, f"{n}月") for n in range(12)]
    long = remote.submit(Asked(ASK, max_tokens=1500))
    next(iter(long))
    long.cancel()
    for _ in long:
        pass
    assert long.finish in ("cancelled", "stop")


def text_of(engine: Engine, asked: str) -> str:
    return "".join(p.text for p in engine.submit(Asked((Message("user", asked),), max_tokens=12)))


def test_mistakes(remote: Engine, server: str, base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the text is too long"):
        remote.submit(Asked((Message("user", "市" * 5000),)))
    with pytest.raises(NotFound):
        remote.submit(Asked(ASK, adapter="nobody"))
    with pytest.raises(UsageError, match="does not offer 'temperature'"):
        remote.submit(Asked(ASK, temperature=0.5))
    with pytest.raises(UsageError, match="offers no adapter tensaku-"):
        remote.load_adapter("other", write_adapter(tmp_path / "other"))
    with pytest.raises(UsageError, match=r"it has no adapter_config\.json"):
        remote.load_adapter("none", tmp_path)
    with pytest.raises(UsageError, match="no address of a server"):
        open_engine("openai", base, url="gpu-host:8000")
    with pytest.raises(UsageError, match="the environment variable NO_SUCH_KEY is not set"):
        open_engine("openai", base, url=f"{server}/v1", key_env="NO_SUCH_KEY")
    with pytest.raises(EngineError, match="cannot be reached") as caught:
        open_engine("openai", base, url="http://127.0.0.1:9/v1", context=100)
    assert caught.value.retryable


def test_without_the_client_it_says_what_to_install(server: str, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match="openai"):
        open_engine("openai", base, url=f"{server}/v1")


class Odd:
    """A server that does as it is told: a real one on loopback. `plan` holds what the next answers do."""

    def __init__(self) -> None:
        self.plan: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.loaded: list[dict[str, Any]] = []
        self.left = threading.Event()
        self.running = self.most = 0
        self.app = FastAPI()
        self.app.add_api_route("/v1/models", self._models, methods=["GET"])
        self.app.add_api_route("/v1/chat/completions", self._chat, methods=["POST"])
        self.app.add_api_route("/v1/load_lora_adapter", self._load, methods=["POST"])
        self.app.add_api_route("/v1/unload_lora_adapter", self._load, methods=["POST"])

    async def _models(self) -> Response:
        card = {"id": "m", "object": "model", "created": 0, "owned_by": "x", "max_model_len": 500}
        return JSONResponse({"object": "list", "data": [card]})

    async def _load(self, request: Request) -> Response:
        self.loaded.append(await request.json())
        again = sum(one == self.loaded[-1] for one in self.loaded) > 1
        wrong = {"object": "error", "message": "it has already been loaded", "code": 400}
        return JSONResponse(wrong, status_code=400) if again else Response("Success: added")

    async def _chat(self, request: Request) -> Response:
        self.asked.append(await request.json())
        what = self.plan.pop(0) if self.plan else "good"
        if what.isdigit():
            headers = {"retry-after": "0"}
            return JSONResponse({"error": {"message": f"told {what}"}}, status_code=int(what), headers=headers)
        return StreamingResponse(self._events(what, request), media_type="text/event-stream")

    async def _events(self, what: str, request: Request) -> Any:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if what == "hang":
                await asyncio.sleep(60)
            for piece in ("は", "い"):
                yield self._chunk({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
                await asyncio.sleep(0.02)
                if what == "break":
                    return
            yield self._chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            yield self._chunk({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
            yield "data: [DONE]\n\n"
        except asyncio.CancelledError:
            self.left.set()
            raise
        finally:
            self.running -= 1

    @staticmethod
    def _chunk(more: dict[str, Any]) -> str:
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", **more}
        return f"data: {json.dumps(chunk)}\n\n"


@pytest.fixture
def odd() -> Odd:
    return Odd()


@pytest.fixture
def engine_for(odd: Odd, base: Path) -> Iterator[Callable[..., Engine]]:
    opened: list[Engine] = []
    with serving(odd.app) as url:

        def make(**settings: Any) -> Engine:
            opened.append(open_engine("openai", base, url=f"{url}/v1", **settings))
            return opened[-1]

        yield make
        for engine in opened:
            engine.close()


def test_it_tries_again_before_the_first_piece_and_never_after(odd: Odd, engine_for: Callable[..., Engine]) -> None:
    engine = engine_for(retries=2)
    odd.plan = ["503", "429", "good"]
    assert text(engine)[0] == "はい"
    assert len(odd.asked) == 3
    odd.plan = ["500"] * 3
    with pytest.raises(EngineError, match="refused \\(500\\): told 500") as caught:
        text(engine)
    assert caught.value.retryable
    odd.plan = ["400"]
    with pytest.raises(EngineError, match="told 400") as caught:
        text(engine)
    assert not caught.value.retryable
    assert len(odd.asked) == 7
    odd.plan = ["break"]
    with pytest.raises(EngineError, match="without saying how"):
        text(engine)
    assert len(odd.asked) == 8


def test_after_failures_in_a_row_the_server_is_left_alone(odd: Odd, engine_for: Callable[..., Engine]) -> None:
    engine = engine_for(retries=0, failures=2, pause_seconds=0.4)
    odd.plan = ["500", "500"]
    for _ in range(2):
        with pytest.raises(EngineError, match="told 500"):
            text(engine)
    with pytest.raises(EngineError, match="failed 2 times in a row and is left alone") as caught:
        text(engine)
    assert caught.value.retryable
    assert len(odd.asked) == 2
    time.sleep(0.5)
    assert text(engine)[0] == "はい"


def test_no_more_than_so_many_at_once_and_a_cancelled_one_leaves(odd: Odd, engine_for: Callable[..., Engine]) -> None:
    engine = engine_for(at_once=2)
    streams = [engine.submit(Asked(ASK)) for _ in range(6)]
    assert ["".join(p.text for p in stream) for stream in streams] == ["はい"] * 6
    assert odd.most == 2
    odd.plan = ["hang"]
    hanging = engine.submit(Asked(ASK))
    time.sleep(0.3)
    hanging.cancel()
    assert list(hanging) == []
    assert hanging.finish == "cancelled"
    assert odd.left.wait(2)  # the server was told
    assert text(engine)[0] == "はい"


def test_no_answer_in_time(odd: Odd, engine_for: Callable[..., Engine]) -> None:
    engine = engine_for(read_seconds=0.2, retries=0)
    odd.plan = ["hang"]
    with pytest.raises(EngineError, match="did not answer in time") as caught:
        text(engine)
    assert caught.value.retryable


def test_vllms_doors_for_adapters(odd: Odd, engine_for: Callable[..., Engine], tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "here" / "adapter")
    engine = engine_for(local_root=str(tmp_path / "here"), remote_root="/srv/tensaku")
    digest = engine.load_adapter("release-1", folder)
    engine.load_adapter("again", folder)  # the server says that it has it: the same content under the same name
    name = f"tensaku-{digest[:16]}"
    assert odd.loaded == [{"lora_name": name, "lora_path": "/srv/tensaku/adapter"}] * 2
    text(engine, adapter="release-1")
    assert odd.asked[-1]["model"] == name
    unload = engine.unload_adapter  # type: ignore[attr-defined]
    unload("release-1")
    assert len(odd.loaded) == 2  # another name still stands for it
    unload("again")
    assert odd.loaded[-1] == {"lora_name": name}
    with pytest.raises(NotFound):
        text(engine, adapter="again")


def test_a_breaker_lets_one_request_find_out() -> None:
    now = [0.0]
    breaker = Breaker(1, 10, lambda: now[0])
    breaker.broke()
    with pytest.raises(EngineError, match="for 10 more seconds"):
        breaker.check()
    now[0] = 11
    breaker.check()
    with pytest.raises(EngineError, match="until one request has found out"):
        breaker.check()
    breaker.left()
    breaker.check()
    breaker.worked()
    breaker.check()
    breaker.check()
