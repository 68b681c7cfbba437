"""The page of questions to the house's documents: answers sentence by sentence, each with its source beside it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from markupsafe import Markup

from tensaku.desk.access import Access
from tensaku.desk.gate import signed_of
from tensaku.desk.pulse import Pulse
from tensaku.desk.views import Views
from tensaku.desk.words import WORDS, Language
from tensaku.desk.words_faults import fault_words
from tensaku.errors import TensakuError, UsageError
from tensaku.ledger import Ledger, NotAllowed
from tensaku.retrieve.answer import Answer, Answerer
from tensaku.retrieve.inert import cleaned

__all__ = ["ChatSession", "add_chat"]

_LONGEST = 1000
_REMEMBERED = 8
_PACE = 0.12
"""Seconds between two sentences, so that an answer is seen to come."""

_WORDS: dict[str, tuple[str, str]] = {
    "product": ("添削", "Tensaku"),
    "title": ("文書への質問", "Ask the documents"),
    "lead": (
        "社内の規程や資料から、根拠を示して答えます。番号を押すと、該当箇所が開きます。",
        "Answers come from the house’s own documents, each sentence with its source. Press a number to open it.",
    ),
    "start": (
        "たとえば、期限、手数料、承認の手順などをたずねます。",
        "Ask about deadlines, fees, or who has to approve.",
    ),
    "placeholder": ("質問を入力してください", "Ask a question"),
    "ask": ("質問する", "Ask"),
    "send_keys": ("Ctrl+Enter で送信", "Ctrl+Enter sends"),
    "again": ("新しい質問", "New conversation"),
    "example": ("例", "For example"),
    "searching": ("文書を調べています…", "Searching the documents…"),
    "none": (
        "該当する記載は見つかりませんでした。言い方を変えるか、より具体的に質問してください。",
        "The documents say nothing about this. Try other words, or ask more precisely.",
    ),
    "near": ("近い箇所", "Nearest passages"),
    "source": ("根拠", "Source"),
    "page": ("{n}ページ", "page {n}"),
    "since": ("{day} 適用", "as of {day}"),
    "asked_as": ("検索した質問：{text}", "Searched for: {text}"),
    "good": ("役に立った", "Helpful"),
    "bad": ("正しくない", "Not right"),
    "correct": ("正しい答え（任意）", "The right answer, if you know it"),
    "send": ("送る", "Send"),
    "thanks": ("記録しました。", "Recorded."),
    "viewer": ("文書", "Document"),
    "viewer_empty": (
        "回答の番号を押すと、文書の該当箇所がここに開きます。",
        "Press a number in an answer to open its source here.",
    ),
    "gone": (
        "この文書は改訂されたか、閲覧できなくなりました。もう一度質問してください。",
        "This document was revised, or may no longer be seen. Please ask again.",
    ),
    "long": ("質問は{limit}字までです。", "A question may have {limit} characters."),
    "empty": ("質問を入力してください。", "Write a question first."),
    "fault": ("回答できませんでした：{what}", "No answer: {what}"),
    "you": ("質問", "You"),
    "doubt": ("根拠なし", "no source"),
}


def _say(language: Language) -> dict[str, str]:
    return {key: pair[0 if language == "ja" else 1] for key, pair in _WORDS.items()}


def _render(name: str, language: Language, **values: Any) -> str:
    return str(Views(language).part(name, t=_say(language), **values))


@dataclass
class ChatSession:
    """One open page: its conversation, who asks, and what was answered so far.

    `send` calls a function of the page's script by name with JSON values.
    """

    answerer: Answerer
    ledger: Ledger
    language: Language
    person: str
    send: Callable[[str, Any], None]
    conversation: str = field(default_factory=lambda: secrets.token_hex(8))
    answers: dict[int, Answer] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    recorded: dict[int, int] = field(default_factory=dict)

    async def on_event(self, name: str, values: dict[str, Any]) -> None:
        """Do what the page asks; a mistake or a failure is told there."""
        say = _say(self.language)
        try:
            await {"ask": self._ask, "open": self._open, "judge": self._judge, "again": self._again}[name](values)
        except NotAllowed:
            self.send("fault", {"text": WORDS[self.language]["fault_right"]})
        except TensakuError as error:
            self.send("fault", {"text": say["fault"].format(what=fault_words(error, self.language))})

    async def _ask(self, values: dict[str, Any]) -> None:
        say, text = _say(self.language), str(values.get("text") or "").strip()
        if not text or len(text) > _LONGEST:
            self.send("fault", {"text": say["empty"] if not text else say["long"].format(limit=_LONGEST)})
            return
        number = len(self.questions) + 1
        before = self.questions[-_REMEMBERED:]
        self.questions.append(text)
        self.send("asked", {"id": number, "text": text})
        try:
            answer = await asyncio.to_thread(
                self.answerer.answer, text, self.person, before=before, language=self.language
            )
        except TensakuError:
            self.send("failed", {"id": number})
            raise
        self.answers[number] = answer
        for said in answer.said if answer.found else ():
            html = _render("chat_said.html", self.language, said=said, number=number, hits=answer.hits)
            self.send("said", {"id": number, "html": html})
            await asyncio.sleep(_PACE)
        shown = _render("chat_end.html", self.language, answer=answer, number=number, question=text)
        self.send("ended", {"id": number, "html": shown, "found": answer.found})

    async def _open(self, values: dict[str, Any]) -> None:
        answer, hit = self._cited(values)
        found = await asyncio.to_thread(self.answerer.searcher.document, hit.passage, self.person, answer.index)
        if not found:
            self.send("viewer", {"html": _render("chat_viewer.html", self.language, passages=[], hit=hit)})
            return
        cite = int(values["cite"])
        marks = [(said.start, said.end) for said in answer.said if cite in said.cites and said.end]
        passages = [(one, _marked(one.text, marks if one.passage == hit.passage else [])) for one in found]
        html = _render("chat_viewer.html", self.language, passages=passages, hit=hit)
        self.send("viewer", {"html": html})

    def _cited(self, values: dict[str, Any]) -> tuple[Answer, Any]:
        try:
            answer = self.answers[int(values["id"])]
            number = int(values["cite"])
        except (KeyError, TypeError, ValueError):
            raise UsageError("there is no such answer", fix="Ask again") from None
        if not 0 < number <= len(answer.hits):
            raise UsageError("there is no such source", fix="Ask again")
        return answer, answer.hits[number - 1]

    async def _judge(self, values: dict[str, Any]) -> None:
        try:
            number = int(values["id"])
            answer, question = self.answers[number], self.questions[number - 1]
        except (KeyError, TypeError, ValueError, IndexError):
            raise UsageError("there is no such answer", fix="Ask again") from None
        verdict, correction = str(values.get("verdict")), str(values.get("correction") or "")
        by = self.person or "system"

        def write() -> None:
            if number not in self.recorded:
                used = sorted({cite for said in answer.said for cite in said.cites})
                sources = [f"{answer.hits[cite - 1].path} {answer.hits[cite - 1].cited}" for cite in used]
                row = self.ledger.add_question(
                    self.conversation,
                    question,
                    answer.text,
                    found=answer.found,
                    sources=sources,
                    index=answer.index,
                    by=by,
                )
                self.recorded[number] = row.id
            self.ledger.add_opinion(self.recorded[number], verdict, correction, by=by)

        await asyncio.to_thread(write)
        self.send("judged", {"id": number, "verdict": verdict, "text": _say(self.language)["thanks"]})

    async def _again(self, values: dict[str, Any]) -> None:
        self.conversation = secrets.token_hex(8)
        self.questions, self.answers, self.recorded = [], {}, {}


def _marked(text: str, marks: list[tuple[int, int]]) -> Markup:
    """The text with what is cited marked; everything else in it is only text."""
    out, at = [], 0
    for start, end in sorted(marks):
        if start >= at:
            out += [
                Markup.escape(cleaned(text[at:start])),
                Markup('<mark class="cited">{}</mark>').format(text[start:end]),
            ]
            at = end
    return Markup().join([*out, Markup.escape(cleaned(text[at:]))])


def add_chat(path: str, language: Language, answerer: Answerer, access: Access) -> None:
    """The page at `path`, for whoever has signed in; after `mount` has set up the desk's static files."""
    from nicegui import ui

    say = _say(language)

    @ui.page(path, title=f"{say['product']} | {say['title']}", language="ja" if language == "ja" else "en-US")
    async def page(request: Request) -> None:
        signed = signed_of(request)
        other = "/en/ask" if language == "ja" else "/ask"
        values = {"signed": signed, "limit": _LONGEST, "here": "ask", "other_path": other}
        ui.add_body_html(await asyncio.to_thread(_render, "chat.html", language, **values))
        client = ui.context.client

        def send(what: str, values: Any) -> None:
            if not pulse.over:
                client.run_javascript(f"chat.{what}({json.dumps(values, ensure_ascii=False)})")

        def gone() -> None:  # loaded anew, the page leads to the sign-in and back
            client.run_javascript("location.reload()")

        pulse = Pulse(access, signed, gone)
        client.on_delete(pulse.close)
        own = access.own(signed.person.name)
        session = ChatSession(answerer, own, language, signed.person.name, send)

        def listen(name: str) -> None:
            async def heard(event: Any) -> None:
                values = event.args[0] if isinstance(event.args, list) and event.args else event.args
                if await pulse.person() is not None:
                    await session.on_event(name, values if isinstance(values, dict) else {})

            ui.on(f"chat_{name}", heard)

        for name in ("ask", "open", "judge", "again"):
            listen(name)
