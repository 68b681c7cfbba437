"""Blind reading: a person compares two outputs for one draft without their makers' names, and says which is better."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup, escape

from tensaku import text
from tensaku.desk.gate import signed_or_nobody
from tensaku.desk.views import Views, asset_version
from tensaku.desk.words import Language
from tensaku.errors import UsageError
from tensaku.ledger import ComparisonRow, Ledger, VoteRow

__all__ = ["PATHS", "add_reading"]

PATHS: tuple[tuple[str, Language], ...] = (("/read", "ja"), ("/en/read", "en"))
_LONGEST_FORM = 100_000  # bytes

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("読み比べ", "Blind reading"),
    "question": ("公表文として、どちらがよいですか。", "Which is the better text to publish?"),
    "who": ("読む人", "Reader"),
    "progress": ("読んだ件数", "Read"),
    "draft": ("原稿", "Draft"),
    "left": ("左の案", "Left"),
    "right": ("右の案", "Right"),
    "left_better": ("左がよい", "Left is better"),
    "right_better": ("右がよい", "Right is better"),
    "tie": ("どちらとも言えない", "No preference"),
    "reason": ("理由（任意）", "Reason (optional)"),
    "reason_hint": ("例：数値が原稿と違う、言い回しが硬い", "For example: a figure differs from the draft"),
    "marked": ("色の付いた語は、二つの案で異なるところです。", "Coloured words differ between the two."),
    "hotkeys": ("キー操作：1 左　2 右　0 どちらとも言えない", "Keys: 1 left, 2 right, 0 no preference"),
    "back": ("直前の回答を見直す", "Review the last answer"),
    "earlier": ("前の回答", "Your answer was"),
    "forward": ("続きへ", "Go on"),
    "done": ("すべて読み終えました。", "You have read them all."),
    "done_more": (
        "ありがとうございました。回答は記録されました。集計は評価の担当者が見ます。",
        "Thank you. Your answers are kept; whoever evaluates will see the result.",
    ),
    "none": ("読み比べる案は、まだありません。", "There is nothing to read yet."),
    "none_more": (
        "評価の担当者が tensaku read で案を並べると、ここに出ます。",
        "Once outputs are laid out with `tensaku read`, they appear here.",
    ),
    "refused": ("回答を記録できませんでした", "Your answer was not kept"),
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """One comparison as a reader sees it: no name of a candidate is in it."""

    id: int
    fund: str
    section: str
    as_of: str
    draft: str
    left: Markup
    right: Markup
    earlier: str = ""
    reason: str = ""


def add_reading(app: FastAPI, ledger: Ledger, who: Callable[[Request], str]) -> None:
    """Add the pages `/read` (Japanese) and `/en/read` to `app`.

    Args:
        ledger: what is laid out and what people say.
        who: the short name of the person who sends a request.
    """
    for path, language in PATHS:
        _add(app, ledger, who, path, language)


def _add(app: FastAPI, ledger: Ledger, who: Callable[[Request], str], path: str, language: Language) -> None:
    views = Views(language)
    say = {key: pair[0 if language == "ja" else 1] for key, pair in _WORDS.items()}
    other = next((there, named) for there, named in PATHS if named != language)

    def page(request: Request, fault: str = "") -> HTMLResponse:
        values: dict[str, Any] = {"say": say, "path": path, "other": other, "fault": fault}
        values |= {"asset_version": asset_version(), "here": "read", "signed": signed_or_nobody(request)}
        values |= _turn(ledger, who(request), back="back" in request.query_params)
        html = views._render("reading.html", **values)
        return HTMLResponse(str(html), status_code=400 if fault else 200, headers={"Cache-Control": "no-store"})

    @app.get(path, include_in_schema=False)
    async def read(request: Request) -> Response:
        return await asyncio.to_thread(page, request)

    @app.post(path, include_in_schema=False)
    async def judged(request: Request) -> Response:
        form = await _form(request)
        try:
            await asyncio.to_thread(_keep, ledger, who(request), form)
        except UsageError as error:
            return await asyncio.to_thread(page, request, f"{say['refused']}: {error}")
        return RedirectResponse(path, 303)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, the last of each name; empty if it is too large."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_FORM:
            return {}
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _keep(ledger: Ledger, person: str, form: dict[str, str]) -> None:
    """Keep a vote.

    Raises:
        UsageError: the form is not whole, or there is no such comparison.
    """
    number = form.get("comparison", "")
    if not number.isascii() or not number.isdigit():
        raise UsageError("the form is not whole", where="read", fix="Open the page anew and vote again")
    winner = cast(Any, form.get("winner", ""))
    ledger.add_vote(int(number), winner, person, reason=form.get("reason", "").replace("\r\n", "\n"))


def _turn(ledger: Ledger, name: str, *, back: bool) -> dict[str, Any]:
    """What the reader `name` is shown: the next comparison, or the last one that was answered."""
    seen = ledger.reading(name)
    mine = [vote for vote in ledger.votes() if vote.by == name]
    person = next(person for person in ledger.people() if person.name == name)
    shown = None
    if back and mine:
        shown = _again(ledger, mine[-1])
    elif seen.next is not None:
        sides = (seen.next.one_text, seen.next.two_text)
        shown = _side_by_side(seen.next, *(sides[::-1] if seen.turned else sides))
    return {
        "reader": person, "shown": shown, "read": seen.read, "total": seen.total,
        "can_go_back": bool(mine) and not back,
    }  # fmt: skip


def _again(ledger: Ledger, vote: VoteRow) -> _Shown:
    comparison = next(held for held in ledger.comparisons() if held.id == vote.comparison_id)
    return _side_by_side(comparison, vote.left_text, vote.right_text, vote.winner, vote.reason)


def _side_by_side(held: ComparisonRow, left: str, right: str, earlier: str = "", reason: str = "") -> _Shown:
    """Both texts with the words marked in which they differ."""
    found = text.changes(left, right)
    marked = (
        _marked(left, [(c.old_start, c.old_end) for c in found]),
        _marked(right, [(c.new_start, c.new_end) for c in found]),
    )
    return _Shown(held.id, held.fund, held.section, held.as_of, held.draft, *marked, earlier, reason)


def _marked(whole: str, spans: list[tuple[int, int]]) -> Markup:
    parts: list[Markup] = []
    at = 0
    for start, end in sorted(spans):
        parts.append(escape(whole[at:start]))
        if end > start:
            parts.append(Markup("<mark>{}</mark>").format(whole[start:end]))
        at = max(at, end)
    return Markup().join([*parts, escape(whole[at:])])
