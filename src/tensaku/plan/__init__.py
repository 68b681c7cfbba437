"""Planning: what a tuning or a server takes in memory, GPUs, time and money, and how wrong that may be.

`plan` answers for the hardware of a dated table, `plan_here` for this machine from what runs measured.
"""

from __future__ import annotations

from tensaku.plan.anatomy import Anatomy
from tensaku.plan.answer import Answer, Ask, plan
from tensaku.plan.headers import describe
from tensaku.plan.here import Here, plan_here
from tensaku.plan.job import Load, Training
from tensaku.plan.runs import errors_so_far, note_runs

__all__ = ["Anatomy", "Answer", "Ask", "Here", "Load", "Training", "describe", "errors_so_far", "note_runs", "plan",
           "plan_here"]  # fmt: skip
