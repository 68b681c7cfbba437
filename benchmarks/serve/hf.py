"""Hugging Face generate with PEFT: greedy, fp32, one at a time (it has no scheduler); eight by a padded batch."""

from __future__ import annotations

import time
from typing import Any

import torch
from benchmarks.serve.peer import Told, finish, order, timed
from peft import PeftModel
from transformers import AutoModelForCausalLM

asked = order()


def main() -> None:
    """A few answers alone, and the same ones in one padded batch."""
    torch.set_num_threads(asked["threads"])
    base = AutoModelForCausalLM.from_pretrained(asked["model"], dtype=torch.float32)
    model: Any = PeftModel.from_pretrained(base, asked["adapters"][0]).eval()
    ends = {"max_new_tokens": asked["max_tokens"], "do_sample": False, "eos_token_id": asked["eos"], "pad_token_id": 0}

    @torch.inference_mode()
    def write(prompts: list[list[int]]) -> list[list[int]]:
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
        seen = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        made = model.generate(input_ids=ids, attention_mask=seen, **ends)[:, width:].tolist()
        return [row[: row.index(asked["eos"]) if asked["eos"] in row else len(row)] for row in made]

    def ask(number: int) -> Told:
        began = time.perf_counter()
        [row] = write([asked["prompts"][number]])
        return Told(str(row), len(row), time.perf_counter() - began)

    count = min(len(asked["prompts"]), asked["hf_prompts"])
    ask(0)
    result: dict[str, Any] = {"1": timed(ask, range(count), 1)}
    began = time.perf_counter()
    tokens = sum(len(row) for row in write(asked["prompts"][:count]))
    result[f"{count} in a batch"] = {"tokens_per_second": round(tokens / (time.perf_counter() - began), 1)}
    finish(result)


if __name__ == "__main__":
    main()
