"""How good the model is on the exam: scores with their intervals, facts kept, a report for people."""

from tensaku.evaluate.decoding import engine_from
from tensaku.evaluate.scoring import Scorer, Texts
from tensaku.evaluate.stage import Evaluate, evaluate
from tensaku.evaluate.table import table

__all__ = ["Evaluate", "Scorer", "Texts", "engine_from", "evaluate", "table"]
