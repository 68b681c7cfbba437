"""What llama.cpp writes, run by a Python that has xllamacpp: a JSON order on standard input, the answers in a file.

Everything is in fp32 and nothing is kept between prompts, so that its numbers are as near to ours as they can be.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import xllamacpp  # type: ignore[import-not-found]


def main() -> None:
    order = json.load(sys.stdin)
    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 1024, 1, 0
    params.cpuparams.n_threads = 2
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.warmup = False
    server = xllamacpp.Server(params)
    asked = {"max_tokens": order["tokens"], "temperature": 0.0, "top_k": 1, "cache_prompt": False}
    found = []
    for prompt in order["prompts"]:
        answer = server.handle_completions({"prompt": prompt, **asked})
        found.append({"text": answer["choices"][0]["text"], "prompt_tokens": answer["usage"]["prompt_tokens"]})
    Path(order["out"]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
