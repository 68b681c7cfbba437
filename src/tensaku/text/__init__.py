"""What Tensaku knows of text: Japanese and English words, sentences, facts, and changes that a writer can take or leave.

Importing this package loads neither SudachiPy nor rapidfuzz; the functions that need them load them on first use.
"""

from tensaku.text.extract import Names, facts, mask
from tensaku.text.guard import compare
from tensaku.text.split import Sentence, sentences
from tensaku.text.sudachi import Word, words

__all__ = ["Names", "Sentence", "Word", "compare", "facts", "mask", "sentences", "words"]
