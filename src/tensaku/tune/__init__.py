"""Tuning: fit a base model to one writing job."""

from tensaku.tune.dpo import Dpo, dpo
from tensaku.tune.pretrain import Pretrain, pretrain
from tensaku.tune.section import Tune
from tensaku.tune.stage import tune

__all__ = ["Dpo", "Pretrain", "Tune", "dpo", "pretrain", "tune"]
