"""From outside files to lessons and an exam: ingest, curate, exam, lessons. Every row dropped is counted and kept."""

from tensaku.curate.back import taken_back_file
from tensaku.curate.documents import Documents, document_files, documents
from tensaku.curate.finals import Finals, finals_file
from tensaku.curate.freeze import Decisions, decisions, slice_file
from tensaku.curate.ingest import Sources, Use, files, ingest
from tensaku.curate.pool import Curate, curate, step_files
from tensaku.curate.split import Exam, Lessons, exam, lessons
from tensaku.curate.synthetic import Synthesize, finals_source, given_topics, synthesize, topics_file

__all__ = [
    "Curate",
    "Decisions",
    "Documents",
    "Exam",
    "Finals",
    "Lessons",
    "Sources",
    "Synthesize",
    "Use",
    "curate",
    "decisions",
    "document_files",
    "documents",
    "exam",
    "files",
    "finals_file",
    "finals_source",
    "given_topics",
    "ingest",
    "lessons",
    "slice_file",
    "step_files",
    "synthesize",
    "taken_back_file",
    "topics_file",
]
