"""How good the model is on the exam: scores with their intervals, facts kept, a report for people."""

from tensaku.engines.consent import check_consent
from tensaku.evaluate.answering import Answering, answers
from tensaku.evaluate.checks import check_choices, check_room, check_scorers
from tensaku.evaluate.decoding import engine_from
from tensaku.evaluate.entries import Entry
from tensaku.evaluate.examine import Candidate, Examine, Leaderboard, examine
from tensaku.evaluate.judge import Judge, Judging, judge
from tensaku.evaluate.ladder import Ladder, Rung, Rungs, ladder
from tensaku.evaluate.leaderboard import Board, leaderboard
from tensaku.evaluate.scoring import Scorer, Texts
from tensaku.evaluate.stage import Evaluate, evaluate
from tensaku.evaluate.table import board_table, ladder_table, table

__all__ = [
    "Answering",
    "Board",
    "Candidate",
    "Entry",
    "Evaluate",
    "Examine",
    "Judge",
    "Judging",
    "Ladder",
    "Leaderboard",
    "Rung",
    "Rungs",
    "Scorer",
    "Texts",
    "answers",
    "board_table",
    "check_choices",
    "check_consent",
    "check_room",
    "check_scorers",
    "engine_from",
    "evaluate",
    "examine",
    "judge",
    "ladder",
    "ladder_table",
    "leaderboard",
    "table",
]
