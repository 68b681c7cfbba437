"""The one road from a draft to a revision: instruction, examples, engine, facts guard. Every door takes it.

`Tuned` says what was tuned, in whatever form, and how an engine is made ready to answer with it.
"""

from tensaku.revise.asking import (
    LONGEST_DRAFT,
    DraftText,
    Job,
    Revising,
    check_draft,
    check_month,
    revise_many,
    start,
)
from tensaku.revise.question import SECTIONS, messages, quoting
from tensaku.revise.tuned import FORMS, Form, Tuned, form_of

__all__ = [
    "FORMS",
    "LONGEST_DRAFT",
    "SECTIONS",
    "DraftText",
    "Form",
    "Job",
    "Revising",
    "Tuned",
    "check_draft",
    "check_month",
    "form_of",
    "messages",
    "quoting",
    "revise_many",
    "start",
]
