"""What is asked of the planner: a training, or a load of requests; and the numbers that follow from it alone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tensaku.config import Section

__all__ = ["METHODS", "TRAININGS", "Load", "Method", "Training"]

Method = Literal["load", "lora", "qlora", "full", "dpo", "pretrain", "serve"]
METHODS: tuple[Method, ...] = ("load", "lora", "qlora", "full", "dpo", "pretrain", "serve")
TRAININGS: tuple[Method, ...] = ("lora", "qlora", "full", "dpo", "pretrain")


class Training(Section):
    """One training: what a step holds, and how many there are."""

    method: Literal["lora", "qlora", "full", "dpo", "pretrain"] = "lora"
    """`dpo` is of thin matrices: the reference is the base with them switched off. `pretrain`: every weight learns."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """What is multiplied in. bf16 keeps a master copy in fp32 of what learns."""
    batch: int = Field(1, ge=1, le=1 << 20)
    """Sequences (dpo: pairs of them) a GPU takes at once."""
    sequence: int = Field(2048, ge=1, le=1 << 24)
    """Tokens of a sequence."""
    examples: int = Field(800, ge=1, le=1 << 40)
    """Lessons (pretrain: sequences)."""
    epochs: float = Field(2.0, gt=0, le=1e6)
    """Passes over them."""
    rank: int = Field(16, ge=1, le=1 << 16)
    """Of the thin matrices."""
    prefix: int = Field(0, ge=0)
    """Of them, tokens at the beginning that all share: Tensaku's own core computes those once a step."""
    scored: float = Field(0.5, gt=0, le=1)
    """Share of the rest that is learnt (the completion): only there does the own core look at the head."""
    recompute: bool = True
    """Whether a layer's inner values are computed again on the way back (gradient checkpointing)."""

    @model_validator(mode="after")
    def _prefix_in_sequence(self) -> Training:
        if self.prefix >= self.sequence:
            raise ValueError(f"the shared beginning ({self.prefix}) is not shorter than the sequence ({self.sequence})")
        return self

    @property
    def thin(self) -> bool:
        """Whether thin matrices learn beside a frozen base."""
        return self.method in ("lora", "qlora", "dpo")

    @property
    def sequences(self) -> int:
        """Sequences a GPU takes at once."""
        return 2 * self.batch if self.method == "dpo" else self.batch

    @property
    def tokens(self) -> int:
        """Tokens a GPU takes at once."""
        return self.sequences * self.sequence


class Load(Section):
    """What is asked of a server."""

    precision: Literal["bf16", "fp8", "int8", "int4", "fp32"] = "bf16"
    """How the weights are held (embedding, head and norms stay in bf16 below it)."""
    cache: Literal["bf16", "fp8", "fp32"] = "bf16"
    """How keys and values are held."""
    users: int = Field(1, ge=0, le=1 << 20)
    """Answers that may be written at the same time; more wait. 0: as many as `rate` takes."""
    rate: float = Field(0.0, ge=0, le=1e6)
    """Requests a second that arrive; 0: `users` people ask, each again as soon as an answer is whole."""
    prompt: int = Field(1500, ge=1, le=1 << 24)
    """Tokens of a prompt, the shared beginning included."""
    answer: int = Field(400, ge=1, le=1 << 24)
    """Tokens of an answer."""
    prefix: int = Field(0, ge=0)
    """Tokens at the beginning that all prompts of an adapter share and that are kept (prefix cache)."""
    adapters: int = Field(0, ge=0, le=1 << 16)
    """Thin matrices held beside the base."""
    rank: int = Field(16, ge=1, le=1 << 16)
    """Of the adapters."""
    accepted: float = Field(0.0, ge=0, le=1)
    """Share of drafted words that turn out right; 0: nothing is drafted."""
    drafted: int = Field(7, ge=1, le=256)
    """Words drafted for each pass, where any are."""
    first_goal: float = Field(0.0, ge=0)
    """Seconds within which 95 of 100 first words must come; 0: no goal."""
    answer_goal: float = Field(0.0, ge=0)
    """Seconds within which 95 of 100 answers must be whole; 0: no goal."""

    @model_validator(mode="after")
    def _consistent(self) -> Load:
        if not self.users and not self.rate:
            raise ValueError("with users = 0 a rate must be given")
        if self.prefix >= self.prompt:
            raise ValueError(
                f"the shared beginning ({self.prefix} tokens) is not shorter than the prompt ({self.prompt})"
            )
        return self

    @property
    def length(self) -> int:
        """Tokens of prompt and answer together."""
        return self.prompt + self.answer
