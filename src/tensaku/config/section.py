"""The class of every section of a task file."""

from __future__ import annotations

import pydantic

__all__ = ["Section"]


class Section(pydantic.BaseModel):
    """One table of the task file: frozen, unknown keys refused, each field explained by the docstring below it."""

    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        protected_namespaces=(),
        allow_inf_nan=False,
    )
