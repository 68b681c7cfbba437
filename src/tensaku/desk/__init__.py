"""The desk: the page where a writer asks for a revision, sees what changed, edits and saves.

mount    add it to a FastAPI app
"""

from tensaku.desk.mount import mount

__all__ = ["mount"]
