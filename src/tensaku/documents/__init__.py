"""Foreign files as readable documents: PDF, Word, Excel, HTML, text, and folders or zips of them.

`read` types a file by its content and gives pages of blocks in reading order, with notes on what a person should see.
`gathered` walks files, folders and zips. A file that cannot be read raises `Unreadable` with one reason.
"""

from tensaku.documents.faults import NOTES, REASONS, Unreadable, said
from tensaku.documents.kinds import kind_of
from tensaku.documents.limits import Limits
from tensaku.documents.model import Block, Note, Page, ReadDocument, from_values, to_values
from tensaku.documents.reader import Found, gathered, read
from tensaku.documents.shape import Cleaner, bare, is_prose

__all__ = [
    "NOTES",
    "REASONS",
    "Block",
    "Cleaner",
    "Found",
    "Limits",
    "Note",
    "Page",
    "ReadDocument",
    "Unreadable",
    "bare",
    "from_values",
    "gathered",
    "is_prose",
    "kind_of",
    "read",
    "said",
    "to_values",
]
