"""Drafts from files: one text, or a month's tables that come back with the comments in further columns."""

from tensaku.batch.run import revise_tables, revise_text
from tensaku.batch.tables import Columns, is_table

__all__ = ["Columns", "is_table", "revise_tables", "revise_text"]
