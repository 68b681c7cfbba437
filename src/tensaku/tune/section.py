"""The section `[tune]` of a task file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tensaku.config import Section

__all__ = ["RATES", "Tune"]

RATES = {"lora": 1e-3, "qlora": 1e-3, "full": 1e-4}
"""Learning rates where none is set (docs/log.md): thin matrices start at zero and take large steps, weights do not."""


class Tune(Section):
    """How to teach the base model one job."""

    method: Literal["prompt", "lora", "qlora", "full", "dpo"] = "lora"
    """`prompt`: past pairs as examples, no training; `lora`: thin matrices beside the frozen base; `qlora`: the same
    over weights held as in a GGUF file, for little memory; `full`: every weight; `dpo`: lora, then decisions."""
    epochs: float = Field(2.0, gt=0)
    """Passes over the lessons; the one dial most people turn."""
    learning_rate: float = Field(0.0, ge=0)
    """Largest step size of AdamW; it rises over the first steps and then falls to nothing. 0: by method."""
    batch: int = Field(4, ge=1)
    """Pairs a step."""
    rank: int = Field(16, ge=1)
    """Width of the thin matrices."""
    alpha: int = Field(32, ge=1)
    """Their weight: what they add is multiplied by alpha / rank."""
    layers: int = Field(0, ge=0)
    """How many of the last layers learn; 0 is all of them. Fewer are quicker: the backward pass ends there."""
    targets: tuple[Literal["q", "k", "v", "o", "gate", "up", "down"], ...] = ()
    """Which projections of a layer have thin matrices; empty: all."""
    rslora: bool = False
    """Whether they are multiplied by alpha / sqrt(rank) instead (rsLoRA), for large ranks."""
    dora: bool = False
    """Whether each row's length is learnt apart from its direction (DoRA)."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the inputs of thin matrices that is left out at random. More than 0 needs core = "transformers"."""
    context: int = Field(2048, ge=16)
    """Most tokens of one lesson; a longer one is set aside and counted."""
    validation: float = Field(0.0, ge=0, le=0.5)
    """Share of the lessons, the newest, that is held out to watch the training by."""
    patience: int = Field(0, ge=0)
    """Looks at the held-out lessons without improvement after which training ends early; 0: it goes on to the end."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of the large products. `auto`: the fastest here that loses nothing, measured."""
    core: Literal["auto", "own", "transformers"] = "auto"
    """`own`: the built-in training core (Llama and Gemma families); `transformers`: Transformers and PEFT, for any
    other model; `auto`: own where the model is known to it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: on a GPU where there is one (lora and full, through Transformers), on processors otherwise."""
    processes: int = Field(1, ge=1, le=64)
    """Processes that share each step; on GPUs, one for each."""
    parallel: Literal["auto", "ddp", "fsdp"] = "auto"
    """`ddp`: each process holds the whole model; `fsdp`: each holds a part of every tensor (FSDP2, through
    Transformers); `auto`: fsdp on GPUs, ddp on processors."""
    cluster: Literal["", "ray"] = ""
    """Where they run: on this machine, or in the Ray cluster that RAY_ADDRESS names (none named: a Ray of this
    machine)."""
    seed: int = 1
    """Where the shuffling and the first values start."""

    @property
    def rate(self) -> float:
        """The learning rate: the one set, or the method's."""
        return self.learning_rate or RATES.get(self.method, 1e-3)
