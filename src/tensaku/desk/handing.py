"""The address under which the page hands out finals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response

from tensaku.desk.handout import FORMS, gather, handout, media_type
from tensaku.desk.template import TemplateFault
from tensaku.desk.words import WORDS, Language
from tensaku.desk.words_faults import fault_words
from tensaku.errors import NotFound, UsageError
from tensaku.ledger import Ledger, NotAllowed

__all__ = ["add_handout"]


def add_handout(app: FastAPI, ledger_of: Callable[[Request], Ledger], template: Path | None = None) -> None:
    """Add `/desk/export?draft=7&form=docx` to the app; `what=month` for all of that draft's month.

    Args:
        app: the desk's.
        ledger_of: the ledger as whoever sends a request may read it.
        template: the house's own Word file, read anew each time.
    """

    @app.get("/desk/export", include_in_schema=False)
    async def export(
        request: Request, draft: int, form: str, what: str = "one", history: str = "", language: str = "ja"
    ) -> Response:
        words = WORDS["en" if language == "en" else "ja"]
        wanted = next((one for one in FORMS if one == form), None)
        if wanted is None:
            return Response(words["error_other"], 400, media_type="text/plain; charset=utf-8")

        def make() -> tuple[bytes, str]:
            ledger = ledger_of(request)
            row = ledger.draft(draft)
            found = gather(ledger, draft=draft) if what == "one" else gather(ledger, month=row.as_of)
            spoken: Language = "en" if language == "en" else "ja"
            made = handout(found, wanted, language=spoken, history=history == "yes", template=template)
            return made, f"comments-{row.as_of}" if what != "one" else f"comment-{row.as_of}-{draft}"

        try:
            content, name = await asyncio.to_thread(make)
        except NotFound:
            return Response(words["error_not_found"], 404, media_type="text/plain; charset=utf-8")
        except NotAllowed:
            return Response(words["fault_right"], 403, media_type="text/plain; charset=utf-8")
        except TemplateFault as error:
            told = fault_words(error, "en" if language == "en" else "ja")
            return Response(f"{words['out_template']}\n\n{told}", 409, media_type="text/plain; charset=utf-8")
        except UsageError:
            return Response(words["out_none"], 409, media_type="text/plain; charset=utf-8")
        headers = {
            "Content-Disposition": f'attachment; filename="{name}.{wanted}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return Response(content, media_type=media_type(wanted), headers=headers)
