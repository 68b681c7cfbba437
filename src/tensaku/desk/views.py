"""The parts of the page as HTML, from templates that escape whatever is put into them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tensaku.desk.board import Board, state_of
from tensaku.desk.changelist import Listed
from tensaku.desk.comparison import BrokenFact, Comparison
from tensaku.desk.gate import may_govern
from tensaku.desk.markup import listed, shown
from tensaku.desk.words import WORDS, Language, counted, month_name
from tensaku.ledger import CHANGE_REASONS, Decision, DecisionRow, DraftRow, FinalRow, PersonRow, RevisionRow
from tensaku.revise import LONGEST_DRAFT, SECTIONS
from tensaku.text import Required

__all__ = ["Event", "Views", "asset_version", "offer_questions", "timeline"]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a draft's history."""

    what: str
    at: datetime
    by: str
    text: str
    id: int
    reasons: Mapping[str, str]
    trial: bool = False


def timeline(draft: DraftRow, revisions: Sequence[RevisionRow], finals: Sequence[FinalRow]) -> list[Event]:
    """What happened to a draft, newest first."""
    events = [Event("draft", draft.at, draft.by, draft.text, draft.id, {})]
    events += [Event("revision", r.at, r.by, r.text, r.id, {}, r.trial) for r in revisions]
    events += [Event("final", f.at, f.by, f.text, f.id, f.reasons) for f in finals]
    order = {"draft": 0, "revision": 1, "final": 2}
    return sorted(events, key=lambda e: (e.at, order[e.what], e.id), reverse=True)


@cache
def asset_version() -> str:
    """A short hash of style and scripts, so that a browser never mixes two versions."""
    files = sorted((HERE / "static").iterdir())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:10]


@cache
def environment() -> Environment:
    """What renders the templates. Its global `asks` says whether the navigation names the page of questions."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["local"] = lambda at: f"{at.astimezone():%Y-%m-%d %H:%M}"
    made.filters["shown"] = shown
    made.filters["listed"] = listed
    made.filters["query"] = lambda values: urlencode({key: said for key, said in values.items() if said != ""})
    made.globals["state_of"] = state_of
    made.globals["counted"] = counted
    made.globals["may_govern"] = may_govern
    made.globals["asks"] = False
    return made


def offer_questions(offered: bool) -> None:
    """Whether the bar of every page leads to the page of questions; of the one desk of this process."""
    environment().globals["asks"] = offered


class Views:
    """The templates in one language. `people` are looked up for their display names."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.words = WORDS[language]

    def page(self, **values: Any) -> str:
        """The whole body of the page."""
        return self._render("page.html", limit=LONGEST_DRAFT, **values)

    def part(self, template: str, **values: Any) -> Markup:
        """Any other template; values of the names that all templates share, such as `t`, stand before those."""
        return self._render(template, **values)

    def board(self, board: Board, opened: int | None) -> str:
        """Filters and list."""
        return self._render("board.html", board=board, opened=opened)

    def heading(self, draft: DraftRow) -> str:
        """What stands above the panes."""
        return self._render("heading.html", draft=draft)

    def facts(self, broken: Sequence[BrokenFact], *, text: str, writing: bool, lacking: Sequence[Required] = ()) -> str:
        """The warnings."""
        return _facts(self.language, tuple(broken), tuple(lacking), has_text=bool(text.strip()), writing=writing)

    def no_changes(self, found: Comparison) -> str:
        """What stands in place of an empty list of changes."""
        return self._render("no_changes.html", has_text=bool(found.text.strip()), writing=found.writing)

    def change(self, row: Listed, said: DecisionRow | None, people: Mapping[str, PersonRow]) -> str:
        """One line of the list of changes, without its number."""
        change = row.change
        who = "" if said is None else people[said.by].display if said.by in people else said.by
        return _change(self.language, change.id, change.old, change.new, row.own, row.decision, said, who)

    def style(self, found: Comparison, *, rules: bool) -> str:
        """What the house style asks for."""
        return self._render("style.html", found=found.style, rules=rules, has_text=bool(found.text.strip()))

    def beside(self, what: str, **values: Any) -> str:
        """What stands beside the text: `what` is similar, last or why."""
        return self._render("beside.html", what=what, **values)

    def candidates(self, shown: Sequence[tuple[RevisionRow, Markup]]) -> str:
        """Revisions to choose from, with their differences from the draft."""
        return self._render("candidates.html", shown=shown)

    def others(self, lines: Sequence[Mapping[str, Any]], people: Mapping[str, PersonRow]) -> str:
        """Who else is at the comment."""
        return self._render("others.html", lines=lines, people=people, clock=self.clock)

    def clock(self, at: datetime) -> str:
        """The time of a moment of today, date and time of an older one."""
        here, now = at.astimezone(), datetime.now().astimezone()
        return f"{here:%H:%M:%S}" if here.date() == now.date() else f"{here:%Y-%m-%d %H:%M}"

    def made_by(self, revision: RevisionRow | None) -> str:
        """Who wrote the revision."""
        return self._render("made_by.html", revision=revision)

    def history(self, events: Sequence[Event], people: Mapping[str, PersonRow]) -> str:
        """What happened to the draft."""
        return self._render("history.html", events=events, people=people)

    def section(self, section: str) -> str:
        """A section's name."""
        return SECTIONS[self.language].get(section, section)

    def day(self, day: date) -> str:
        """A day, as a reader writes it."""
        if self.language == "ja":
            return f"{day.month}月{day.day}日（{'月火水木金土日'[day.weekday()]}）"
        return f"{day.day} {month_name(f'{day:%Y-%m}', 'en').partition(' ')[0]}"

    def when(self, at: datetime) -> str:
        """A moment, in this machine's time."""
        return f"{at.astimezone():%Y-%m-%d %H:%M}"

    def _render(self, template: str, **values: Any) -> Markup:
        shared: dict[str, Any] = {
            "t": self.words,
            "site": self.words,
            "language": self.language,
            "section": self.section,
            "month": lambda as_of: month_name(as_of, self.language),
            "day": self.day,
            "sections": SECTIONS[self.language],
            "asset_version": asset_version(),
        }
        html = environment().get_template(template).render(**{**shared, **values})
        return Markup(html)  # noqa: S704  the template escaped it


@lru_cache(maxsize=1 << 13)
def _change(
    language: Language, id: str, old: str, new: str, own: bool, decision: Decision, said: DecisionRow | None, who: str
) -> str:
    """All that a line shows, and no more: kept between calls, since most lines are the same at each letter typed."""
    shown = {"change": id, "old": old, "new": new, "own": own, "decision": decision, "s": said, "who": who}
    return str(Views(language).part("change.html", **shown, reasons=CHANGE_REASONS))


@lru_cache(maxsize=1024)
def _facts(
    language: Language, broken: tuple[BrokenFact, ...], lacking: tuple[Required, ...], *, has_text: bool, writing: bool
) -> str:
    """Kept between calls: what is broken stays so over many letters."""
    keys: dict[str, list[BrokenFact]] = {}
    for fact in broken:
        keys.setdefault(fact.key, []).append(fact)
    shown = {"keys": keys, "broken": broken, "lacking": lacking, "has_text": has_text, "writing": writing}
    return str(Views(language).part("facts.html", **shown))
