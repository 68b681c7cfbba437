"""Answers of vLLM: MODEL [ADAPTER], prompts (lists of token ids) as JSON on stdin, answers in the same way on stdout.

Run by the Python of vLLM's own environment, which knows nothing of this project.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["VLLM_NO_USAGE_STATS"] = "1"
os.environ["VLLM_LOGGING_LEVEL"] = "WARNING"
os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
os.environ["VLLM_CPU_KVCACHE_SPACE"] = "1"
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")


def main() -> None:
    """Greedy, 32 tokens at most."""
    vllm: Any = __import__("vllm")
    lora: Any = __import__("vllm.lora.request", fromlist=["LoRARequest"])
    model, *adapter = sys.argv[1:]
    settings: dict[str, Any] = {"dtype": "float32", "enforce_eager": True, "max_model_len": 1024, "max_num_seqs": 5}
    if adapter:
        rank = json.loads((Path(adapter[0]) / "adapter_config.json").read_text(encoding="utf-8"))["r"]
        settings |= {"enable_lora": True, "max_lora_rank": max(8, rank)}
    engine = vllm.LLM(model, **settings)
    how = vllm.SamplingParams(temperature=0.0, max_tokens=32)
    asked = [{"prompt_token_ids": ids} for ids in json.load(sys.stdin)]
    request = lora.LoRARequest("taught", 1, adapter[0]) if adapter else None
    answers = engine.generate(asked, how, lora_request=request, use_tqdm=False)
    print("ANSWERS", json.dumps([list(answer.outputs[0].token_ids) for answer in answers]), flush=True)


main()
