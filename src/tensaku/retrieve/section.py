"""The section `[retrieve]` of the task file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tensaku.config import Section

__all__ = ["Documents", "Retrieve"]


class Documents(Section):
    """A folder of documents to be searched."""

    path: str
    """The folder, from the task file's own."""
    name: str = Field(pattern=r"^[\w][\w-]*$")
    """What this source is called: people filter by it, and rules of rights begin with it."""
    fund: str = ""
    """The fund that all of it speaks of, if it is one."""


class Retrieve(Section):
    """The house's documents, searched and quoted."""

    name: str = Field("documents", pattern=r"^[a-z0-9][a-z0-9-]*$")
    """A short name; clients ask for the model rag:NAME."""
    documents: tuple[Documents, ...] = ()
    """Folders, as in [[retrieve.documents]] with path = "rules" and name = "rules"; none: nothing is searched."""
    finals: str = Field("", pattern=r"^$|^[\w][\w-]*$")
    """Search the desk's own published comments too, as a source of this name, each by whoever may see its fund."""
    rights: str = ""
    """File that says who may see which documents, files and funds, and so use which models; empty: everybody all."""
    terms: str = ""
    """File of words that mean the same, as in "受益者" = ["投資家"]; empty: the task's names alone."""
    embedding: dict[str, Any] = Field(default_factory=lambda: {"model": "local"})
    """What makes vectors: { model = "local" }, { model = "none" }, or { model = "NAME", url = "http://host/v1" }."""
    passage: int = Field(400, ge=100, le=4000)
    """Characters of a passage."""
    most_mb: float = Field(64, gt=0, le=4096)
    """Larger files are named and left out, in MiB."""
    words: bool = True
    """Search by words."""
    vectors: bool = True
    """Search by vectors."""
    rerank: bool = True
    """Look closely at the best thirty."""
    synonyms: bool = True
    """Search for words of the term list that mean the same."""
    rewrite: bool = True
    """Make follow-up questions whole from the question before."""
    keywords: bool = False
    """Search for the question's keywords as well."""
    answers: Literal["extract", "model"] = "extract"
    """Quote the sentences that answer, or have a model word them; what it words must be borne out."""
    engine: dict[str, Any] = Field(default_factory=dict)
    """What words the answers, as in { engine = "openai", url = "http://gpu-host:8000/v1", model = "NAME" }; empty: the
    base model that is served."""
    unsupported: Literal["remove", "mark"] = "remove"
    """What becomes of a model's sentence that its source does not bear out."""
    sure: float = Field(0.3, ge=0, le=1)
    """Below this confidence in the best passage the answer is "not found"."""

    @property
    def searched(self) -> bool:
        """Whether there is anything to search."""
        return bool(self.documents or self.finals)
