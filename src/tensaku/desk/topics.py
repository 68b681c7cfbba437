"""The page of topics: people propose what made-up pairs may be about, and another person approves it."""

from __future__ import annotations

import asyncio
from typing import get_args
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import Response

from tensaku.curate import given_topics
from tensaku.desk.access import Access
from tensaku.desk.data import check_sees
from tensaku.desk.frame import Refused, language_of, own_form, redirect, render, shown
from tensaku.desk.gate import signed_of
from tensaku.desk.words import WORDS
from tensaku.ledger import NewTopic
from tensaku.ledger.topics import TopicVerdict

__all__ = ["add_topics"]

_TOLD = ("proposed", *get_args(TopicVerdict))


def add_topics(app: FastAPI, access: Access) -> None:
    """Add `/data/topics` in both languages."""
    page = _Page(access)
    for start in ("", "/en"):
        app.add_api_route(f"{start}/data/topics", shown(page.show), methods=["GET"])
        app.add_api_route(f"{start}/data/topics", shown(page.propose), methods=["POST"])
        app.add_api_route(f"{start}/data/topics/review", shown(page.review), methods=["POST"])


class _Page:
    def __init__(self, access: Access) -> None:
        self._access = access

    async def show(self, request: Request) -> Response:
        language, signed = language_of(request), signed_of(request)
        check_sees(signed.person)
        own = self._access.own(signed.person.name)
        rows = await asyncio.to_thread(own.topics)
        people = {person.name: person for person in await asyncio.to_thread(own.people)}
        told = request.query_params.get("told", "")
        return render(
            "topics.html",
            language,
            signed=signed,
            here="data",
            rows={state: [row for row in rows if row.state == state] for state in ("proposed", "approved", "retired")},
            given=given_topics(),
            people=people,
            writes=own.may_propose(),
            told=WORDS[language][f"topics_told_{told}"] if told in _TOLD else "",
        )

    async def propose(self, request: Request) -> Response:
        signed, form = await own_form(request)
        own = self._access.own(signed.person.name)
        kind = form.one("kind")
        if kind not in ("skill", "knowledge"):
            raise Refused(400, "fault_form")
        texts = {name: form.one(name).replace("\r\n", "\n").strip() for name in ("name", "says", "draft", "final")}
        new = NewTopic("skill" if kind == "skill" else "knowledge", **texts)
        await asyncio.to_thread(lambda: own.add_topic(new, by=signed.person.name))
        return self._back(request, "proposed")

    async def review(self, request: Request) -> Response:
        signed, form = await own_form(request)
        verdict, number = form.one("verdict"), form.one("topic")
        if verdict not in get_args(TopicVerdict) or not (number.isascii() and number.isdigit()) or len(number) > 9:
            raise Refused(400, "fault_form")
        own, note = self._access.own(signed.person.name), form.one("note").replace("\r\n", "\n")
        said: TopicVerdict = verdict  # type: ignore[assignment]
        await asyncio.to_thread(lambda: own.review_topic(int(number), said, by=signed.person.name, note=note))
        return self._back(request, verdict)

    @staticmethod
    def _back(request: Request, told: str) -> Response:
        start = "/en" if language_of(request) == "en" else ""
        return redirect(f"{start}/data/topics?" + urlencode({"told": told}))
