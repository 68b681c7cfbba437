"""Tuning: fit a base model to one writing job."""

from tensaku.tune.stage import Tune, tune

__all__ = ["Tune", "tune"]
