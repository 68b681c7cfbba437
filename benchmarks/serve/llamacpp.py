"""llama.cpp (xllamacpp): the same weights in their 4-bit form, the adapter beside them; plain, or with n-gram drafting.

Its prompt cache is left on, each adapter pinned to its own slot where there are several, as its cache asks for.
"""

from __future__ import annotations

import time
from typing import Any

import xllamacpp as x  # type: ignore[import-not-found]
from benchmarks.serve.peer import Told, finish, order, timed

asked = order()


def server(parallel: int) -> Any:
    """A server over the order's model with all its adapters loaded."""
    params = x.CommonParams()
    params.model.path = asked["model"]
    params.n_parallel = parallel
    params.n_ctx = asked["context"] * parallel
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = asked["threads"]
    params.verbosity = -1
    params.lora_adapters = [x.CommonAdapterLoraInfo(path, 0.0) for path in asked["adapters"]]
    if asked.get("ngram"):
        kind = getattr(x.common_speculative_type, f"COMMON_SPECULATIVE_TYPE_NGRAM_{asked['ngram'].upper()}")
        params.speculative.types = [kind]
        if asked["ngram"] == "simple":  # its defaults, 12 words found and 48 guessed, never fire on edits
            params.speculative.ngram_simple.size_n, params.speculative.ngram_simple.size_m = 3, 8
    return x.Server(params)


def asker(engine: Any, adapters: int) -> Any:
    """Asks for one answer, of the adapter that its number gives, in that adapter's slot."""

    def ask(number: int) -> Told:
        began, first, text, tokens = time.perf_counter(), 0.0, [], 0

        def hear(piece: Any) -> bool:
            nonlocal first, tokens
            for one in piece if isinstance(piece, list) else [piece]:
                first = first or time.perf_counter() - began
                for choice in one.get("choices", ()):
                    text.append(choice.get("text", ""))
                tokens = (one.get("usage") or {}).get("completion_tokens", tokens)
            return False

        use = number % adapters
        body: dict[str, Any] = {
            "prompt": asked["prompts"][number],
            "n_predict": asked["max_tokens"],
            "temperature": 0.0,
            "top_k": 1,
            "stream": True,
            "stream_options": {"include_usage": True},
            "cache_prompt": True,
            "lora": [{"id": i, "scale": 1.0 if i == use else 0.0} for i in range(len(asked["adapters"]))],
        }
        if adapters > 1:
            body["id_slot"] = use
        engine.handle_completions(body, hear)
        return Told("".join(text), tokens, first)

    return ask


def main() -> None:
    """Alone with one adapter; eight at once with one; eight at once with eight."""
    numbers = range(len(asked["prompts"]))
    result: dict[str, Any] = {}
    one = server(1)
    ask = asker(one, 1)
    cold = ask(0)
    result["cold"], result["warm"] = cold.first, ask(1).first
    result["1"] = timed(ask, numbers, 1)
    del one
    several = server(8)
    for adapters in (1, 8):
        ask = asker(several, adapters)
        timed(ask, range(8), 8)
        result[f"8x{adapters}"] = timed(ask, numbers, 8)
    finish(result)


if __name__ == "__main__":
    main()
