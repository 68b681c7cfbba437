"""The sections of the task file that govern a release."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tensaku.config import Section

__all__ = ["Approval", "Gate", "Release"]


class Gate(Section):
    """What a release must show."""

    need: tuple[dict[str, Any], ...] = (
        {"gate": "beats-draft", "scorer": "bleu", "by": 5.0},
        {"gate": "facts-kept", "at_least": 0.98},
    )
    """Every gate that has to say yes, with its settings."""
    owner: str = ""
    """Who answers for the model; stands in the model document."""
    purpose_ja: str = (
        "外部運用会社の月次原稿を、自社の文体規則に沿った公表文の案に直す。案は必ず執筆者が確認し、確定する。"
    )
    """What the model is for, in Japanese; stands in the model document."""
    purpose_en: str = (
        "Turns an outside manager's monthly draft into a proposal for the house's published comment. "
        "A writer reads and settles every one."
    )
    """The same in English."""
    limits_ja: tuple[str, ...] = (
        "試験は過去の原稿で行った。新しい運用会社、資産、欄、言語での品質は測っていない。",
        "事実の照合は文字列の規則による。言い換えで意味が変わる誤りは見つけられないことがある。",
        "出力をそのまま公表しない。事実が変わった箇所には、書いた理由がなければ保存できない。",
        "投資判断、数値の計算、原稿にない情報の補足には使わない。",
    )
    """What it cannot do and must not be used for, in Japanese."""
    limits_en: tuple[str, ...] = (
        "The exam is made of past drafts. Quality on new managers, assets, sections or languages was not measured.",
        "Facts are compared by rules on the text; an error of meaning in other words can escape them.",
        "No output is published as it is. Where a fact differs, saving needs a written reason.",
        "Not for investment decisions, for computing figures, or for adding what the draft does not say.",
    )
    """The same in English."""


class Approval(Section):
    """What an approval takes beside a person who did not build the release."""

    gate: Literal["low", "medium", "high", "never"] = "medium"
    """Least risk rating from which a passed promotion gate, or the reason of an override, must be on record; low: for
    every release."""
    validation: Literal["low", "medium", "high", "never"] = "medium"
    """Least risk rating from which the second line must have validated it."""
    data: float = Field(0.1, gt=0, le=1)
    """Share of the lessons, new or gone since the release approved before, from which a change of data is material."""


class Release(Section):
    """What a release is made by: the gates, and the task whose name it bears."""

    task: Section = Section()
    """The writing job; its `name` stands in the model document."""
    gate: Gate = Gate()
    """What a release must show."""

    @property
    def title(self) -> str:
        """The task's name."""
        return str(getattr(self.task, "name", "")) or "task"
