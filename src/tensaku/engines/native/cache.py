"""Keys and values in pages of sixteen positions, and what a new prompt can take over from earlier ones.

The memory is bounded: a pool of pages, shared by all streams. A full page is known by its tokens, by the page before
it and
by its owner (the adapter's content hash), so a prompt that begins like an earlier one (the instruction of a task)
starts where they part, and two streams read the same page. Pages that no stream reads stay until their room is needed;
the one that was longest unused goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch

from tensaku.models.shape import Shape

__all__ = ["PAGE", "Cache", "Held", "common_length", "pages_for"]

PAGE = 16
"""Positions of a page; kernel/attend.h says the same."""


def pages_for(length: int) -> int:
    """Pages that hold `length` positions."""
    return -(-length // PAGE)


class Held:
    """One stream's place in the cache: `tokens` are those whose keys and values its pages hold, computed with
    `owner`."""

    __slots__ = ("_known", "_parent", "owner", "pages", "table", "tokens")

    def __init__(self, owner: str, context: int) -> None:
        self.owner = owner
        self.tokens: list[int] = []
        self.pages: list[int] = []
        self.table = np.zeros(pages_for(context) + 1, dtype=np.int32)
        """`pages` where the kernel can read them."""
        self._known = 0  # how many of the pages others can find
        self._parent: object = owner


class Cache:
    """`pools[layer]` is [pages, kv_heads, 2, 16 * head_dim]: of each page the keys [head_dim, 16], the values
    [16, head_dim]."""

    def __init__(self, shape: Shape, *, pages: int, context: int) -> None:
        self._context = context
        self.total = pages
        # zeros, not empty: masked positions are multiplied by zero, which must not meet a NaN
        size = (pages, shape.kv_heads, 2, PAGE * shape.head_dim)
        self.pools = [torch.zeros(size) for _ in range(shape.layers)]
        self._clear()

    def _clear(self) -> None:
        self._free = list(range(self.total))[::-1]
        self._readers = [0] * self.total
        self._serial = 0
        self._found: dict[tuple[object, tuple[int, ...]], int] = {}  # (page before it or owner, tokens) -> page
        self._key: dict[int, tuple[object, tuple[int, ...]]] = {}
        self._name: dict[int, int] = {}  # page -> a number that is never given again
        self._idle: OrderedDict[int, None] = OrderedDict()  # known pages without a reader, longest unused first

    @property
    def available(self) -> int:
        """Pages that no stream reads."""
        return len(self._free) + len(self._idle)

    def begin(self, owner: str, tokens: Sequence[int]) -> Held:
        """A place for a stream that will read `tokens`, with what is known of them already taken over.

        The last token is never taken over: its row is what the first word of the answer is read from.
        """
        made = Held(owner, self._context)
        for at in range(0, (len(tokens) - 1) // PAGE * PAGE, PAGE):
            page = self._found.get((made._parent, tuple(tokens[at : at + PAGE])))
            if page is None:
                break
            self._readers[page] += 1
            self._idle.pop(page, None)
            self._append(made, page)
            made._parent, made._known = self._name[page], len(made.pages)
        made.tokens = list(tokens[: len(made.pages) * PAGE])
        return made

    def held(self, owner: str, tokens: Sequence[int]) -> int:
        """How many of `tokens` a new stream would not have to read."""
        parent: object = owner
        for at in range(0, (len(tokens) - 1) // PAGE * PAGE, PAGE):
            page = self._found.get((parent, tuple(tokens[at : at + PAGE])))
            if page is None:
                return at
            parent = self._name[page]
        return (len(tokens) - 1) // PAGE * PAGE

    def grow(self, sequence: Held, length: int) -> bool:
        """See to it that `sequence` has room for `length` positions; False if there are not enough pages."""
        missing = pages_for(length) - len(sequence.pages)
        if missing > self.available:
            return False
        for _ in range(missing):
            if not self._free:
                self._evict()
            page = self._free.pop()
            self._readers[page] = 1
            self._append(sequence, page)
        return True

    def settle(self, sequence: Held) -> None:
        """Let others find the full pages of `sequence`: its tokens stand."""
        for index in range(sequence._known, len(sequence.tokens) // PAGE):
            page = sequence.pages[index]
            key = (sequence._parent, tuple(sequence.tokens[index * PAGE : index * PAGE + PAGE]))
            there = self._found.get(key)
            if there is None:
                self._serial += 1
                self._found[key], self._key[page], self._name[page] = page, key, self._serial
                there = page
            sequence._parent, sequence._known = self._name[there], index + 1

    def release(self, sequence: Held) -> None:
        """Give a stream's pages back; what is full stays to be found."""
        self.settle(sequence)
        for page in reversed(sequence.pages):  # the last ones go first when room is needed
            self._readers[page] -= 1
            if self._readers[page] == 0:
                if page in self._key:
                    self._idle[page] = None
                else:
                    self._free.append(page)
        sequence.pages, sequence.tokens, sequence._known, sequence._parent = [], [], 0, sequence.owner

    def forget(self) -> None:
        """Drop all that is held: after a failed pass nobody knows what was written."""
        self._clear()

    def _append(self, sequence: Held, page: int) -> None:
        sequence.table[len(sequence.pages)] = page
        sequence.pages.append(page)

    def _evict(self) -> None:
        page, _ = self._idle.popitem(last=False)
        del self._found[self._key.pop(page)], self._name[page]
        self._free.append(page)


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens `a` and `b` begin with in common."""
    n = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        n += 1
    return n
