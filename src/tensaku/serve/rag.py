"""The model `rag:NAME`: questions answered from the house's documents, over the same wire as any other model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tensaku.engines.protocol import Piece, Request, Stream
from tensaku.errors import EngineError, TensakuError, UsageError
from tensaku.records import Finish, Message, Usage
from tensaku.retrieve.answer import Answer, Answerer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DocumentEngine", "rag_name"]


def rag_name(name: str) -> str:
    """The model's name on the wire."""
    return f"rag:{name}"


class DocumentEngine:
    """Answers conversations from documents. An engine to the wire; it knows who asks by `asked_by`.

    Somebody without a key is nobody: what only named people may see is not searched for them.
    """

    name = "documents"
    version = "1"
    context = 32_768
    can: tuple[str, ...] = ()

    def __init__(self, answerer: Answerer, person: str = "") -> None:
        self._answerer, self._person = answerer, person

    def asked_by(self, person: str) -> DocumentEngine:
        """The same, for the questions of `person`."""
        return DocumentEngine(self._answerer, person)

    def submit(self, request: Request) -> Stream:
        """Start an answer to the last question of a conversation; the former ones give it its sense.

        Raises:
            UsageError: there is no question.
        """
        asked = [message.content for message in request.messages if message.role == "user"]
        if not asked or not request.messages or request.messages[-1].role != "user":
            raise UsageError("the conversation does not end with a question", fix="End it with a message of the user")
        if request.adapter is not None:
            raise UsageError("documents take no adapter")
        if not asked[-1].strip():
            raise UsageError("the question is empty", fix="Write what you want to know")
        return _Answered(self._answerer, self._person, asked)

    def measure(self, messages: tuple[Message, ...]) -> int:
        """The length of a conversation in characters: this engine has no tokens."""
        return sum(len(message.content) for message in messages)

    def load_adapter(self, name: str, folder: Path) -> str:
        """Refused: documents take no adapter.

        Raises:
            UsageError: always.
        """
        raise UsageError("documents take no adapter")

    def adapters(self) -> dict[str, str]:
        """None."""
        return {}

    def identity(self, adapter: str | None) -> dict[str, str]:
        """The engine, and the index that answers as its base."""
        try:
            index = self._answerer.searcher.index
        except TensakuError:
            index = ""
        return {"adapter": "", "base": index, "engine": self.name, "version": self.version}

    def close(self) -> None:
        """Nothing is held."""


class _Answered:
    """One answer; it is looked for when it is read, and comes sentence by sentence, its sources last."""

    def __init__(self, answerer: Answerer, person: str, asked: list[str]) -> None:
        self._answerer, self._person, self._asked = answerer, person, asked
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[Piece]:
        language = "ja" if any("\u3040" <= char <= "\u9fff" for char in self._asked[-1]) else "en"
        try:
            answer = self._answerer.answer(
                self._asked[-1],
                self._person,
                before=self._asked[:-1],
                language="ja" if language == "ja" else "en",
            )
        except UsageError as error:
            raise EngineError(str(error)) from None
        written = 0
        for text in _pieces(answer):
            if self._cancelled.is_set():
                break
            written += len(text)
            yield Piece(text, len(text))
        self.finish = "cancelled" if self._cancelled.is_set() else "stop"
        self.usage = Usage(sum(map(len, self._asked)), written)

    def cancel(self) -> None:
        """End it before its next sentence."""
        self._cancelled.set()


def _pieces(answer: Answer) -> Iterator[str]:
    if not answer.found:
        yield answer.text
        return
    for number, line in enumerate(answer.text.split("\n")):
        yield line if number == 0 else "\n" + line
    yield "\n\n" + answer.sources
