"""A sentence in English that knows the same in Japanese: commands and JSON say the one, the page whichever is read."""

from __future__ import annotations

from typing import Self

__all__ = ["Said", "in_japanese"]


class Said(str):
    """The English sentence, with `ja` beside it."""

    __slots__ = ("ja",)
    ja: str

    def __new__(cls, english: str, japanese: str) -> Self:
        """Both, as they are to be read."""
        self = super().__new__(cls, english)
        self.ja = japanese
        return self


def in_japanese(text: str) -> str:
    """The Japanese of what has one; a text without (a name, a source) as it stands."""
    return text.ja if isinstance(text, Said) else text
