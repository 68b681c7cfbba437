"""How good the model is on the exam: scores with their intervals, facts kept, a report for people."""

from tensaku.evaluate.checks import check_room, check_scorers
from tensaku.evaluate.decoding import engine_from
from tensaku.evaluate.ladder import Ladder, Rung, Rungs, ladder
from tensaku.evaluate.scoring import Scorer, Texts
from tensaku.evaluate.stage import Evaluate, evaluate
from tensaku.evaluate.table import ladder_table, table

__all__ = [
    "Evaluate",
    "Ladder",
    "Rung",
    "Rungs",
    "Scorer",
    "Texts",
    "check_room",
    "check_scorers",
    "engine_from",
    "evaluate",
    "ladder",
    "ladder_table",
    "table",
]
