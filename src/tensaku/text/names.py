"""The house's table of names, as its file writes it."""

from __future__ import annotations

import tomllib

from tensaku.errors import DataError

__all__ = ["names_from"]


def names_from(text: str, *, where: str = "names.toml") -> dict[str, list[str]]:
    """The table of names in a TOML text: under `[names]`, or bare, canonical name = list of written forms.

    Raises:
        DataError: the text is no TOML, or a name's forms are not a list of texts.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"the names cannot be read: {error}", file=where) from None
    table = found.get("names", found)
    if not isinstance(table, dict):
        raise DataError("the names are no table", file=where, field="names", fix='Begin it with a line "[names]"')
    for name, forms in table.items():
        if not isinstance(forms, list) or not all(isinstance(form, str) for form in forms):
            fix = f'Write "{name}" = ["form", "other form"]'
            raise DataError("the forms of a name must be a list of texts", file=where, field=name, fix=fix)
    return dict(table)
