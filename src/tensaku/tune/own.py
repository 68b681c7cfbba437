"""The learner over our own decoder, by method."""

from __future__ import annotations

from pathlib import Path

from tensaku.models.decoder import Decoder
from tensaku.models.products import Multiply
from tensaku.models.weights import Weights
from tensaku.tune.full import Full
from tensaku.tune.learner import DecoderLearner
from tensaku.tune.lora import LoraSettings, MergedLora
from tensaku.tune.quantised import BlockDecoder, BlockLora, BlockRows, BlockWeights
from tensaku.tune.section import Tune

__all__ = ["lora_settings", "open_learner"]


def open_learner(cfg: Tune, base: Path, context: int, prefix: int, multiply: Multiply) -> DecoderLearner:
    """What learns, over the model in the folder `base`.

    Args:
        cfg: says the method: lora (dpo starts from one), qlora or full.
        base: a model of the families that the decoder knows.
        context: the largest number of positions.
        prefix: first tokens that every prompt has in common.
        multiply: the matrix product.

    Raises:
        UsageError: the model cannot be read, or a setting does not fit it.
    """
    if cfg.method == "qlora":
        held = BlockWeights.load(base)
        lora = BlockLora(held, lora_settings(cfg), multiply)
        return DecoderLearner(BlockDecoder(held, context), lora, prefix, multiply, BlockRows(held.head, held.scratch))
    weights = Weights.load(base)
    if cfg.method == "full":
        return DecoderLearner(Decoder(weights, context), Full(weights, multiply, base), prefix, multiply)
    merged = MergedLora(weights, lora_settings(cfg), multiply)
    return DecoderLearner(Decoder(weights, context), merged, prefix, multiply)


def lora_settings(cfg: Tune) -> LoraSettings:
    """The section's settings of thin matrices."""
    return LoraSettings(cfg.rank, cfg.alpha, cfg.layers, cfg.targets, cfg.rslora, cfg.dora, cfg.seed)
