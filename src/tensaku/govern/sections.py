"""The sections of the task file that govern a release."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tensaku.config import Section

__all__ = ["Approval", "Gate", "Promotion", "Release"]


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


class Promotion(Section):
    """What a challenger must show before it may take the champion's place."""

    margin: float = Field(1.0, ge=0)
    """By how many points of the first scorer it may be worse than the champion, at the lower end of the interval."""
    facts_margin: float = Field(0.02, ge=0, le=1)
    """By how much the share of outputs that keep every fact may be below the champion's, at the lower end."""
    facts_least: float = Field(0.98, ge=0, le=1)
    """The least share of outputs that keep every fact."""
    style_margin: float = Field(0.05, ge=0)
    """How many more breaches of the house style an output may have than the champion's, on average."""
    slower: float = Field(1.25, ge=1)
    """How many times the champion's seconds an answer may take."""
    given_back: float = Field(0.05, ge=0, le=1)
    """Most of the probed lessons that it may give back, beyond what the base model does."""
    judge: bool = False
    """Whether the judge of [judge] must prefer it as well."""
    readers: int = Field(0, ge=0)
    """So many drafts must have been read blind by people who did not build it; 0: no reading is asked for."""
    preferred: float = Field(0.1, ge=0, le=0.5)
    """How far below one half the share of drafts may be in which judge or readers prefer it to the champion, at the
    lower end of the interval; against the untouched draft, where there is no champion, it must be above one half."""
    resamples: int = Field(1000, ge=100)
    """Resamples of the paired bootstrap."""
    seed: int = 0
    """Which resamples."""


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
