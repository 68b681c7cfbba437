"""The page Approvals: the inventory, one model with what stands for and against it, and the second line's acts."""

from __future__ import annotations

import asyncio
from datetime import date
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import Response

from tensaku.desk.access import Access
from tensaku.desk.approvals import Artifacts, Record, read_listing, read_record
from tensaku.desk.approvals_acts import ACTS, DECISIONS, Mistake, SeenLedger, Superseded
from tensaku.desk.frame import Form, Refused, language_of, own_form, redirect, render, shown
from tensaku.desk.gate import may_govern, signed_of
from tensaku.desk.words import WORDS
from tensaku.desk.words_faults import fault_words
from tensaku.errors import NotFound, UsageError
from tensaku.govern.findings import EXCEPTABLE
from tensaku.govern.rating import RATINGS
from tensaku.govern.said import test_name
from tensaku.govern.said import told as told_of
from tensaku.govern.stress import KINDS as STRESSES
from tensaku.ledger import SEVERITIES, Blocked, NotAllowed

__all__ = ["add_approvals"]

PATH = "/approvals"


def add_approvals(
    app: FastAPI, access: Access, *, artifacts: Artifacts | None = None, material: float = 0.1, task: str = ""
) -> None:
    """Add `/approvals` in both languages, for those who govern.

    Args:
        app: the desk's app.
        access: who has signed in, and what they may see.
        artifacts: gives sealed artifacts, for the tests of a gate.
        material: from which share of new and gone pairs on a change of data is material.
        task: what the model is asked for here; named as an example where an approval is bound to tasks.
    """
    page = _Page(access, artifacts, material, task)
    for start in ("", "/en"):
        app.add_api_route(f"{start}{PATH}", shown(page.show), methods=["GET"])
        app.add_api_route(f"{start}{PATH}", shown(page.act), methods=["POST"])


class _Page:
    def __init__(self, access: Access, artifacts: Artifacts | None, material: float, task: str) -> None:
        self._access, self._artifacts, self._material, self._task = access, artifacts, material, task

    async def show(self, request: Request) -> Response:
        language, signed, asked = language_of(request), signed_of(request), request.query_params
        if not may_govern(signed.person):
            raise Refused(403, "fault_right")
        if ref := asked.get("ref", ""):
            told = asked.get("told", "")
            return await self._record(request, ref, told=WORDS[language][f"apv_told_{told}"] if told in ACTS else "")
        own, number = self._access.own(signed.person.name), asked.get("page", "")
        kind, status = asked.get("kind", ""), asked.get("status", "")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 1
        found = await asyncio.to_thread(read_listing, own, kind, status, page)
        return render("approvals.html", language, signed=signed, here="approvals", s=found, kind=kind, stands=status)

    async def act(self, request: Request) -> Response:
        """Do one act, and lead back to the model; what was refused stands on its page, with what was written."""
        signed, form = await own_form(request)
        ref, name = form.one("ref"), form.one("act")
        if not may_govern(signed.person):
            raise Refused(403, "fault_right")
        if name not in ACTS:
            raise Refused(400, "fault_form")
        me = signed.person.name
        own = SeenLedger(self._access.ledger, me, self._access.barriers, ref, form.one("mark"))

        def work() -> str:
            hands = own.hands(ref, me)
            if not (hands.decide if name in DECISIONS else hands.file):
                return f"apv_hands_{hands.why or 'validator'}"
            ACTS[name](own, me, ref, form)
            return ""

        words, detail, status = WORDS[language_of(request)], "", 400
        try:
            refused = await asyncio.to_thread(work)
            if not refused:
                start = "/en" if language_of(request) == "en" else ""
                return redirect(f"{start}{PATH}?" + urlencode({"ref": ref, "told": name}))
            fault, status = words[refused], 403
        except Mistake as mistake:
            fault = words[mistake.word]
        except Superseded:
            fault, status = "", 409
        except Blocked:
            fault = words["apv_fault_blocked"]
        except NotAllowed:
            raise
        except UsageError as error:
            fault, detail = words["error_other"], fault_words(error, language_of(request))
        return await self._record(request, ref, fault=fault, detail=detail, status=status, form=form)

    async def _record(
        self,
        request: Request,
        ref: str,
        *,
        told: str = "",
        fault: str = "",
        detail: str = "",
        status: int = 200,
        form: Form | None = None,
    ) -> Response:
        language, signed = language_of(request), signed_of(request)
        own, me = self._access.own(signed.person.name), signed.person.name
        try:
            found = await asyncio.to_thread(read_record, own, ref, me, self._artifacts, self._material)
        except NotFound:
            raise Refused(404, "apv_not_found") from None
        if status == 409:
            fault = WORDS[language]["apv_fault_own" if _newest_by(found) == me else "apv_fault_stale"]
        return render(
            "approval.html",
            language,
            status=status,
            signed=signed,
            here="approvals",
            r=found,
            told=told,
            fault=fault,
            detail=detail,
            said=form.one if form is not None else lambda name: "",
            act=form.one("act") if form is not None else "",
            severities=SEVERITIES,
            ratings=RATINGS,
            exceptable=EXCEPTABLE,
            stresses=STRESSES,
            worded=lambda held: told_of(held, language == "ja"),
            test_name=lambda name: test_name(name, language == "ja"),
            task=self._task,
            today=f"{date.today():%Y-%m-%d}",
        )


def _newest_by(record: Record) -> str:
    return record.events[0].by if record.events else ""
