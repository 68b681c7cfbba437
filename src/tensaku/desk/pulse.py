"""Whether whoever opened a page is still signed in: for pages that stay open on a socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from tensaku.desk.access import Access, Signed
from tensaku.errors import TensakuError
from tensaku.ledger import PersonRow

__all__ = ["Pulse"]

KNOWN_SECONDS = 2.0
"""How long an open page takes a sign-in for living before it looks again; what is written looks each time."""


class Pulse:
    """The sign-in behind one open page. Used from the event loop that built it.

    `gone` is called once, when the sign-in is found to have ended: a page that is being written to, or that nobody
    touches, learns of it as well, within `KNOWN_SECONDS`.
    """

    def __init__(self, access: Access, signed: Signed, gone: Callable[[], None]) -> None:
        self._access, self._signed, self._looked = access, signed, time.monotonic()
        self._gone = gone
        self.over = False
        """The sign-in has ended, and nothing more is shown."""
        self._watching = asyncio.create_task(self._watch())

    async def person(self, *, anew: bool = True) -> PersonRow | None:
        """Who acts, with the rights of now; None if nobody is signed in any more.

        Args:
            anew: look in the ledger now, and not only if that was a while ago.

        Raises:
            UsageError: the ledger cannot be read.
        """
        return await self._look(touch=True) if anew or self._stale else self._known

    @property
    def _stale(self) -> bool:
        return time.monotonic() - self._looked > KNOWN_SECONDS

    @property
    def _known(self) -> PersonRow | None:
        return None if self.over else self._signed.person

    async def _look(self, *, touch: bool) -> PersonRow | None:
        cookies = {self._access.cookie: self._signed.token}
        now = None if self.over else await asyncio.to_thread(self._access.signed, cookies, touch=touch)
        if now is None:
            self._end()
        elif not self.over:
            self._signed, self._looked = now, time.monotonic()
        return self._known

    async def _watch(self) -> None:
        while not self.over:
            await asyncio.sleep(KNOWN_SECONDS)
            with suppress(TensakuError):  # a ledger that is away for a moment signs nobody out
                await self._look(touch=False)  # or an open page would never be idle

    def _end(self) -> None:
        if not self.over:
            self._gone()
            self.over = True

    def close(self) -> None:
        """The page is closed."""
        self._watching.cancel()
