"""The configurations that are measured: two models, every method, several lengths."""

from __future__ import annotations

from typing import Any

__all__ = ["CASES"]


def _tune(
    name: str, model: str, method: str, batch: int, prefix: int, prompt: int, completion: int, **more: int
) -> Any:
    sizes = {"batch": batch, "prefix": prefix, "prompt": prompt, "completion": completion}
    return {"name": name, "what": "tune", "model": model, "method": method, **sizes, **more}


def _serve(name: str, model: str, slots: int, at_once: int, prompt: int, answer: int, precision: str = "int8") -> Any:
    sizes = {"slots": slots, "context": 2048, "at_once": at_once, "prompt": prompt, "answer": answer}
    return {"name": name, "what": "serve", "model": model, "precision": precision, **sizes}


CASES: tuple[dict[str, Any], ...] = (
    _tune("gemma lora 4", "gemma", "lora", 4, 60, 120, 110),
    _tune("gemma lora 8", "gemma", "lora", 8, 60, 120, 110),
    _tune("gemma lora 2 long", "gemma", "lora", 2, 60, 700, 240),
    _tune("gemma lora 4 rank 64", "gemma", "lora", 4, 60, 120, 110, rank=64),
    _tune("gemma lora 4 last 6", "gemma", "lora", 4, 60, 120, 110, layers=6),
    _tune("gemma qlora 4", "gemma", "qlora", 4, 60, 120, 110),
    _tune("gemma full 4", "gemma", "full", 4, 60, 120, 110),
    _tune("gemma full 8", "gemma", "full", 8, 60, 120, 110),
    _tune("smol lora 4", "smol", "lora", 4, 60, 120, 110),
    _tune("smol lora 8", "smol", "lora", 8, 60, 120, 110),
    _tune("smol lora 2 long", "smol", "lora", 2, 60, 700, 240),
    _tune("smol lora 16 short", "smol", "lora", 16, 40, 60, 50),
    _tune("smol qlora 4", "smol", "qlora", 4, 60, 120, 110),
    _tune("smol full 4", "smol", "full", 4, 60, 120, 110),
    _tune("smol full 8 long", "smol", "full", 8, 60, 200, 200),
    _serve("gemma serve 1", "gemma", 1, 1, 200, 48),
    _serve("gemma serve 8", "gemma", 8, 8, 200, 48),
    _serve("gemma serve 4 long", "gemma", 4, 4, 700, 32),
    _serve("gemma serve 4 fp32", "gemma", 4, 4, 200, 32, "fp32"),
    _serve("smol serve 1", "smol", 1, 1, 200, 48),
    _serve("smol serve 8", "smol", 8, 8, 200, 48),
    _serve("smol serve 4 long", "smol", 4, 4, 700, 32),
    _serve("smol serve 4 fp32", "smol", 4, 4, 200, 32, "fp32"),
    _serve("gemma serve 2", "gemma", 2, 2, 200, 48),
    _serve("gemma serve 1 long", "gemma", 1, 1, 700, 32),
    _serve("gemma serve 1 answer 96", "gemma", 1, 1, 100, 96),
    _serve("smol serve 2", "smol", 2, 2, 200, 48),
    _serve("smol serve 1 long", "smol", 1, 1, 700, 32),
    _serve("smol serve 1 answer 96", "smol", 1, 1, 100, 96),
)
