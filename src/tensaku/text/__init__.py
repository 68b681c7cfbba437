"""What Tensaku knows of text: words, sentences, facts, and changes that a writer can take or leave.

Importing this package loads neither SudachiPy nor rapidfuzz; the functions that need them load them on first use.
"""

from tensaku.text.align import doubled, dropped, reordered
from tensaku.text.diff import apply, changes
from tensaku.text.direction import Reversal, reversals
from tensaku.text.extract import Names, facts, mask
from tensaku.text.guard import compare, lost
from tensaku.text.names import names_from
from tensaku.text.split import Sentence, sentences
from tensaku.text.strokes import strokes
from tensaku.text.style import (
    Required,
    StyleRule,
    Suggestion,
    Violation,
    blanked,
    lacking,
    required_from,
    style_from,
    suggestions,
    violations,
)
from tensaku.text.sudachi import Word, words

__all__ = [
    "Names",
    "Required",
    "Reversal",
    "Sentence",
    "StyleRule",
    "Suggestion",
    "Violation",
    "Word",
    "apply",
    "blanked",
    "changes",
    "compare",
    "doubled",
    "dropped",
    "facts",
    "lacking",
    "lost",
    "mask",
    "names_from",
    "reordered",
    "required_from",
    "reversals",
    "sentences",
    "strokes",
    "style_from",
    "suggestions",
    "violations",
    "words",
]
