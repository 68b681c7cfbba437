"""How good the model is on the exam: scores with their intervals, facts kept, a report for people."""

from tensaku.evaluate.checks import check_room, check_scorers
from tensaku.evaluate.consent import check_consent
from tensaku.evaluate.decoding import engine_from
from tensaku.evaluate.examine import Candidate, Examine, Leaderboard, examine
from tensaku.evaluate.ladder import Ladder, Rung, Rungs, ladder
from tensaku.evaluate.leaderboard import Board, Entry, leaderboard
from tensaku.evaluate.scoring import Scorer, Texts
from tensaku.evaluate.stage import Evaluate, evaluate
from tensaku.evaluate.table import board_table, ladder_table, table

__all__ = [
    "Board",
    "Candidate",
    "Entry",
    "Evaluate",
    "Examine",
    "Ladder",
    "Leaderboard",
    "Rung",
    "Rungs",
    "Scorer",
    "Texts",
    "board_table",
    "check_consent",
    "check_room",
    "check_scorers",
    "engine_from",
    "evaluate",
    "examine",
    "ladder",
    "ladder_table",
    "leaderboard",
    "table",
]
