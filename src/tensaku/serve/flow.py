"""From a blocking stream to an asynchronous one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TypeVar

__all__ = ["flow"]

T = TypeVar("T")


async def flow(source: Iterable[T], cancel: Callable[[], None]) -> AsyncGenerator[T, None]:
    """What `source` yields, read in a thread of its own; an exception of `source` comes out here.

    A thread of its own and not one of the event loop's pool: an answer holds it for minutes, and a full pool would
    stop everything else that waits for one. However the reading ends, early or late, `cancel` is called; so close the
    iterator (`contextlib.aclosing`) where the reader may stop early.
    """
    loop = asyncio.get_running_loop()
    items: asyncio.Queue[tuple[T | None, BaseException | None, bool]] = asyncio.Queue()

    def put(item: T | None, error: BaseException | None, end: bool) -> bool:
        try:
            loop.call_soon_threadsafe(items.put_nowait, (item, error, end))
        except RuntimeError:  # the event loop is closed: nobody reads any more
            return False
        return True

    def read() -> None:
        try:
            for item in source:
                if not put(item, None, False):
                    cancel()
                    return
        except BaseException as error:  # it is raised again on the reader's side
            put(None, error, True)
        else:
            put(None, None, True)

    threading.Thread(target=read, name="flow", daemon=True).start()
    try:
        while True:
            item, error, end = await items.get()
            if error is not None:
                raise error
            if end:
                return
            yield item  # type: ignore[misc]  # a T whenever it is neither the end nor an error
    finally:
        cancel()
