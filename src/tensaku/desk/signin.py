"""The pages of signing in and out, of one's own password, and of coming in through the house's provider."""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from tensaku.desk.access import Access
from tensaku.desk.frame import Refused, language_of, local_path, own_form, posted, redirect, render, shown
from tensaku.desk.gate import signed_of
from tensaku.desk.oidc import Provider
from tensaku.desk.words import Language
from tensaku.desk.words_faults import fault_words
from tensaku.errors import UsageError
from tensaku.ledger import PersonRow

__all__ = ["add_signin"]


def add_signin(app: FastAPI, access: Access, title: str) -> None:
    """Add `/signin`, `/signout` and `/account` in both languages, and `/oidc/...` if there is a provider."""
    pages = _Pages(access, title)
    for start in ("", "/en"):
        app.add_api_route(f"{start}/signin", shown(pages.signin), methods=["GET"])
        app.add_api_route(f"{start}/signin", shown(pages.sent), methods=["POST"])
        app.add_api_route(f"{start}/account", shown(pages.account), methods=["GET"])
        app.add_api_route(f"{start}/account", shown(pages.change), methods=["POST"])
    app.add_api_route("/signout", shown(pages.signout), methods=["POST"])
    if pages.provider is not None:
        app.add_api_route("/oidc/start", shown(pages.begin_oidc), methods=["GET"])
        app.add_api_route("/oidc/callback", shown(pages.end_oidc), methods=["GET"])


class _Pages:
    def __init__(self, access: Access, title: str) -> None:
        self.access, self.title = access, title
        self.provider = Provider(access.rules.oidc) if access.rules.oidc.issuer else None

    async def signin(self, request: Request) -> Response:
        opens = self.access.opens(request.scope.get("client"))
        there = await asyncio.to_thread(self.access.signed, request.cookies, opens=opens)
        language = language_of(request)
        going = local_path(request.query_params.get("next", ""), f"/{language}")
        if there is not None:
            return redirect(going)
        return await self._form(request, language, going)

    async def _form(
        self, request: Request, language: Language, going: str, *, fault: str = "", name: str = ""
    ) -> Response:
        token = request.cookies.get(self.access.form_cookie) or self.access.new_form_token()
        opens = self.access.opens(request.scope.get("client"))
        people = await asyncio.to_thread(self.access.people) if opens else []
        response = render(
            "signin.html",
            language,
            status=401 if fault else 200,
            title=self.title,
            going=going,
            token=token,
            fault=fault,
            name=name,
            open=opens,
            people=people,
            sso=self.access.rules.oidc.label or self.access.rules.oidc.issuer if self.provider else "",
        )
        response.set_cookie(self.access.form_cookie, token, max_age=3600, **self.access.cookie_options())
        return response

    async def sent(self, request: Request) -> Response:
        form, language = await posted(request), language_of(request)
        held, token = request.cookies.get(self.access.form_cookie, ""), form.one("token")
        going, name = local_path(form.one("next"), f"/{language}"), form.one("name").strip()
        if not held or not hmac.compare_digest(held.encode(), token.encode()):
            return await self._form(request, language, going, fault="fault_token", name=name)
        if self.access.opens(request.scope.get("client")):
            person, how = await asyncio.to_thread(self.access.by_name, name), "open"
        else:
            person, how = await asyncio.to_thread(self.access.by_password, name, form.one("password")), "password"
        if person is None:
            return await self._form(request, language, going, fault="fault_signin", name=name[:64])
        return await self._enter(person, how, going)

    async def _enter(self, person: PersonRow, how: str, going: str) -> Response:
        token = await asyncio.to_thread(self.access.begin, person, how)
        response = redirect(going)
        seconds = int(self.access.rules.hours * 3600)
        response.set_cookie(self.access.cookie, token, max_age=seconds, **self.access.cookie_options())
        response.delete_cookie(self.access.form_cookie, **self.access.cookie_options())
        return response

    async def signout(self, request: Request) -> Response:
        signed, form = await own_form(request)
        await asyncio.to_thread(self.access.ledger.end_session, signed.token)
        response = redirect("/en/signin" if form.one("language") == "en" else "/signin")
        response.delete_cookie(self.access.cookie, **self.access.cookie_options())
        return response

    async def account(self, request: Request) -> Response:
        return self._account(request)

    def _account(self, request: Request, *, fault: str = "", detail: str = "") -> Response:
        signed = signed_of(request)
        values: dict[str, Any] = {"signed": signed, "title": self.title, "fault": fault, "detail": detail}
        return render("account.html", language_of(request), status=400 if fault else 200, **values)

    async def change(self, request: Request) -> Response:
        signed, form = await own_form(request)
        name, new = signed.person.name, form.one("new")
        if signed.person.credential == "none":
            raise Refused(403, "fault_right")
        if new != form.one("again"):
            return self._account(request, fault="fault_again")
        right = await asyncio.to_thread(self.access.by_password, name, form.one("password"))
        if right is None:
            return self._account(request, fault="fault_password")
        if new == form.one("password"):
            return self._account(request, fault="fault_same")
        try:
            await asyncio.to_thread(lambda: self.access.ledger.set_password(name, new, by=name))
        except UsageError as error:
            return self._account(request, fault="fault_weak", detail=fault_words(error, language_of(request)))
        return await self._enter(right, "password", f"/{language_of(request)}")

    async def begin_oidc(self, request: Request) -> Response:
        assert self.provider is not None
        language = language_of(request)
        going = local_path(request.query_params.get("next", ""), f"/{language}")
        address, state = await self.provider.begin(self._callback(request), going, language)
        response = redirect(address)
        response.set_cookie(self.access.form_cookie, state, max_age=600, **self.access.cookie_options())
        return response

    def _callback(self, request: Request) -> str:
        """Where the provider sends people back to; https if the browser speaks it, whatever reaches us."""
        scheme = "https" if self.access.rules.secure else "http"
        return f"{scheme}://{request.headers['host']}/oidc/callback"

    async def end_oidc(self, request: Request) -> Response:
        assert self.provider is not None
        name, going = await self.provider.end(request.query_params, request.cookies.get(self.access.form_cookie, ""))
        person = await asyncio.to_thread(self.access.by_name, name)
        if person is None:
            raise Refused(403, "fault_unknown_person")
        return await self._enter(person, "oidc", going)
