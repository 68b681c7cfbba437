"""From outside files to lessons and an exam: ingest, curate, exam, lessons. Every row dropped is counted and kept."""

from tensaku.curate.ingest import Sources, Use, files, ingest
from tensaku.curate.pool import Curate, curate
from tensaku.curate.split import Exam, Lessons, exam, lessons

__all__ = ["Curate", "Exam", "Lessons", "Sources", "Use", "curate", "exam", "files", "ingest", "lessons"]
