"""What the plain pages of the desk share: templates, the form that belongs to a session, where to go afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tensaku.desk.access import Signed
from tensaku.desk.gate import signed_of
from tensaku.desk.words import Language

__all__ = ["Refused", "language_of", "local_path", "posted", "redirect", "render", "shown"]

LONGEST_FORM = 200_000
"""Bytes of a posted form."""


class Refused(Exception):
    """A request that is answered with this status and message, in the reader's language."""

    def __init__(self, status: int, word: str) -> None:
        self.status, self.word = status, word
        super().__init__(word)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a posted form; a name may come several times."""

    fields: tuple[tuple[str, str], ...]

    def one(self, name: str) -> str:
        """The last value of a field, or an empty text."""
        return next((value for key, value in reversed(self.fields) if key == name), "")

    def many(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.fields if key == name]


def language_of(request: Request) -> Language:
    """The language that the address says; at a sign-in through the provider, what began it or its state says."""
    if request.url.path.startswith("/oidc/"):
        asked = request.query_params
        return "en" if asked.get("language") == "en" or asked.get("state", "").startswith("en.") else "ja"
    return "en" if request.url.path == "/en" or request.url.path.startswith("/en/") else "ja"


def local_path(text: str, otherwise: str) -> str:
    """A path of this very server to go to, or `otherwise`: nobody is sent to another site."""
    parts = urlsplit(text)
    safe = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return text if safe and len(text) < 500 and text.isprintable() else otherwise


def redirect(path: str) -> RedirectResponse:
    """To another page of the desk, read anew."""
    return RedirectResponse(path, status_code=303, headers={"cache-control": "no-store"})


async def posted(request: Request) -> Form:
    """The form of a request.

    Raises:
        Refused: it is larger than any form of ours, or no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415, "fault_form")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_FORM:
            raise Refused(413, "fault_form")
    try:
        text = body.decode("ascii")
        return Form(tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=5000, errors="replace")))
    except ValueError:
        raise Refused(400, "fault_form") from None


async def own_form(request: Request) -> tuple[Signed, Form]:
    """The signed-in person and the form, which carries the token of their session.

    Raises:
        Refused: the form was not made for this session.
    """
    signed, form = signed_of(request), await posted(request)
    if not signed.sent_by_us(form.one("token")):
        raise Refused(403, "fault_token")
    return signed, form


def render(template: str, language: Language, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page from a template; never kept by caches, never in another site's frame, no scripts but ours."""
    from tensaku.desk.views import Views

    html = Views(language).part(template, **values)
    policy = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; "
    headers = {"cache-control": "no-store", "content-security-policy": policy + "base-uri 'none'"}
    return HTMLResponse(str(html), status_code=status, headers=headers)


def shown(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """The handler with every refusal and every mistake of the reader answered as a page."""
    from tensaku.desk.words import WORDS
    from tensaku.desk.words_faults import fault_words
    from tensaku.errors import NotFound, UsageError
    from tensaku.ledger import NotAllowed

    async def answered(request: Request) -> Response:
        language = language_of(request)
        try:
            response: Response = await handler(request)
        except Refused as refused:
            status, message, detail = refused.status, WORDS[language][refused.word], ""
        except NotAllowed as error:
            status, message, detail = 403, WORDS[language]["fault_right"], fault_words(error, language)
        except NotFound as error:
            status, message, detail = 404, WORDS[language]["error_not_found"], fault_words(error, language)
        except UsageError as error:
            status, message, detail = 400, WORDS[language]["error_other"], fault_words(error, language)
        else:
            return response
        values: Mapping[str, Any] = {"message": message, "detail": detail, "back": f"/{language}"}
        return render("refused.html", language, status=status, **values)

    return answered


def in_thread(work: Callable[[], Any]) -> Any:
    """Await what blocks."""
    return asyncio.to_thread(work)
