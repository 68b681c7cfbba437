"""Who has which draft open, and who of them writes: kept in memory, since it is true only while pages are open."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Present", "presence"]

WRITING_SECONDS = 120.0
"""How long somebody who has typed counts as writing."""


@dataclass(eq=False)
class Present:
    """One page on one draft. `told` is called when something changes for it."""

    person: str
    told: Callable[[], None]
    wrote: float | None = None

    @property
    def writing(self) -> bool:
        """Whether something was typed here lately."""
        return self.wrote is not None and time.monotonic() - self.wrote < WRITING_SECONDS


@dataclass
class Presence:
    """All open pages of this process, by ledger and draft. Used from the event loop alone."""

    _pages: dict[tuple[str, int], list[Present]] = field(default_factory=dict)

    def enter(self, where: str, draft: int, page: Present) -> None:
        """A page opens a draft."""
        self._pages.setdefault((where, draft), []).append(page)
        self._tell(where, draft, but=page)

    def leave(self, page: Present) -> None:
        """A page closes, or opens another draft."""
        for (where, draft), pages in list(self._pages.items()):
            if page in pages:
                pages.remove(page)
                if not pages:
                    del self._pages[where, draft]
                self._tell(where, draft, but=page)

    def wrote(self, where: str, draft: int, page: Present) -> None:
        """Something was typed; the others are told the first time."""
        news = not page.writing
        page.wrote = time.monotonic()
        if news:
            self._tell(where, draft, but=page)

    def others(self, where: str, draft: int, page: Present) -> dict[str, bool]:
        """Who else has the draft open -> whether they write."""
        found: dict[str, bool] = {}
        for other in self._pages.get((where, draft), ()):
            if other is not page and other.person:
                found[other.person] = found.get(other.person, False) or other.writing
        return found

    def _tell(self, where: str, draft: int, *, but: Present) -> None:
        for page in list(self._pages.get((where, draft), ())):
            if page is not but:
                page.told()


presence = Presence()
"""Of this process, which has one desk."""
