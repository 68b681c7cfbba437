"""Blind reading: a person compares two outputs for one draft without their makers' names, and says which is better."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.responses import Response
from markupsafe import Markup, escape

from tensaku import text
from tensaku.desk.access import Access
from tensaku.desk.frame import Form, own_form, redirect, render, shown
from tensaku.desk.gate import signed_of
from tensaku.desk.rights import READERS
from tensaku.desk.words import Language
from tensaku.desk.words_faults import fault_words
from tensaku.errors import UsageError
from tensaku.ledger import ComparisonRow, Ledger, NotAllowed, VoteRow

__all__ = ["PATHS", "add_reading"]

PATHS: tuple[tuple[str, Language], ...] = (("/read", "ja"), ("/en/read", "en"))

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("読み比べ", "Blind reading"),
    "question": ("公表文として、どちらがよいですか。", "Which is the better text to publish?"),
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
    "none": ("読み比べる案はまだありません", "There is nothing to read yet"),
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


def add_reading(app: FastAPI, access: Access) -> None:
    """Add the pages `/read` (Japanese) and `/en/read` to `app`; who has signed in reads, within their rights."""
    for path, language in PATHS:
        _add(app, access, path, language)


def _add(app: FastAPI, access: Access, path: str, language: Language) -> None:
    say = {key: pair[0 if language == "ja" else 1] for key, pair in _WORDS.items()}
    other = next(there for there, named in PATHS if named != language)

    def page(request: Request, fault: str = "") -> Response:
        signed = signed_of(request)
        own, name = access.own(signed.person.name), signed.person.name
        values: dict[str, Any] = {"say": say, "path": path, "other_path": other, "fault": fault, "here": "read"}
        values |= {"token": signed.form_token, "votes": not set(signed.person.roles) <= READERS}
        values |= _turn(own, name, back="back" in request.query_params)
        return render("reading.html", language, status=400 if fault else 200, signed=signed, **values)

    async def read(request: Request) -> Response:
        return await asyncio.to_thread(page, request)

    async def judged(request: Request) -> Response:
        signed, form = await own_form(request)
        own = access.own(signed.person.name)
        try:
            await asyncio.to_thread(_keep, own, signed.person.name, form)
        except NotAllowed:
            raise
        except UsageError as error:
            return await asyncio.to_thread(page, request, f"{say['refused']}: {fault_words(error, language)}")
        return redirect(path)

    app.add_api_route(path, shown(read), methods=["GET"], include_in_schema=False)
    app.add_api_route(path, shown(judged), methods=["POST"], include_in_schema=False)


def _keep(ledger: Ledger, person: str, form: Form) -> None:
    """Keep a vote.

    Raises:
        UsageError: the form is not whole, or there is no such comparison.
    """
    number = form.one("comparison")
    if not number.isascii() or not number.isdigit():
        raise UsageError("the form is not whole", where="read", fix="Open the page anew and vote again")
    winner = cast(Any, form.one("winner"))
    ledger.add_vote(int(number), winner, person, reason=form.one("reason").replace("\r\n", "\n"))


def _turn(ledger: Ledger, name: str, *, back: bool) -> dict[str, Any]:
    """What the reader `name` is shown: the next comparison, or the last one that was answered."""
    seen = ledger.reading(name)
    mine = [vote for vote in ledger.votes() if vote.by == name]
    shown = None
    if back and mine:
        shown = _again(ledger, mine[-1])
    elif seen.next is not None:
        sides = (seen.next.one_text, seen.next.two_text)
        shown = _side_by_side(seen.next, *(sides[::-1] if seen.turned else sides))
    return {
        "shown": shown, "read": seen.read, "total": seen.total,
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
