"""Tuning: fit a base model to one writing job."""

from tensaku.tune.section import Tune
from tensaku.tune.stage import tune

__all__ = ["Tune", "tune"]
