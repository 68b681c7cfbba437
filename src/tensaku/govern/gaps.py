"""What is missing, said plainly: the gaps of a firm's evidence, by principle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from tensaku.govern.inventory import Model
from tensaku.ledger import SECOND, THIRD, FilingRow, PersonRow, ReleaseRow, line_of

__all__ = ["Gap", "Held", "find_gaps"]

_MONITORED = timedelta(days=45)
"""How old the last monitoring report of what answers may be: a month, and two weeks to write it."""


class Gap(NamedTuple):
    """Something missing, under its principle (1 to 8), in Japanese and English."""

    principle: int
    ja: str
    en: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a pack was made from, as it stood at `at`. `broken` says why the log does not hold, empty if it does."""

    at: datetime
    files: frozenset[str]
    people: Sequence[PersonRow]
    models: Sequence[Model]
    releases: Sequence[ReleaseRow]
    filings: Sequence[FilingRow]
    champion: str
    missing: tuple[str, ...]
    broken: str
    anchors: int
    unanchored: tuple[str, ...] = ()
    """Days on which the log grew and no anchor was noted."""


def find_gaps(held: Held) -> list[Gap]:
    """Every gap, by principle. No gap is not the same as no risk: only what can be counted is looked for."""
    found = [
        *_governance(held),
        *_inventory(held),
        *_development(held),
        *_approval(held),
        *_monitoring(held),
        *_validation(held),
        *_outside(held),
        *_audit(held),
    ]
    return sorted(found, key=lambda gap: gap.principle)


def _governance(held: Held) -> Iterator[Gap]:
    yield Gap(
        1,
        "モデル・リスク管理方針と経営への報告は、このパックの外にある。",
        "The model risk policy and the reports to management are outside this pack.",
    )
    lines = {line_of(role) for person in held.people if person.active for role in person.roles}
    if SECOND not in lines:
        yield Gap(1, "第二線（検証・承認）の担当者がいない。", "Nobody stands in the second line.")
    if THIRD not in lines:
        yield Gap(1, "第三線（監査）の担当者がいない。", "Nobody stands in the third line.")
    for person in held.people:
        both = {line_of(role) for role in person.roles} - {0}
        if len(both) > 1:
            told = " + ".join(person.roles)
            yield Gap(
                1,
                f"{person.name} は複数の防衛線を兼ねる（{told}）。自作モデルの承認は拒まれる。",
                f"{person.name} stands in more than one line ({told}); only decisions on own models are refused.",
            )


def _inventory(held: Held) -> Iterator[Gap]:
    for model in held.models:
        if not model.owner and model.status != "retired":
            yield Gap(2, f"{model.ref} に責任者がいない。", f"{model.ref} has no owner.")
        if not model.users and model.kind == "release" and model.status in ("approved", "conditional"):
            yield Gap(2, f"{model.ref} の利用者が記されていない。", f"Who uses {model.ref} is not written down.")


def _development(held: Held) -> Iterator[Gap]:
    for ref in held.missing:
        yield Gap(
            3, f"{ref} の封印された成果物が作業場所にない。", f"The sealed artifact {ref} is not in the workspace."
        )


def _approval(held: Held) -> Iterator[Gap]:
    gates = {row.subject: row for row in held.filings if row.kind == "gate"}
    for release in held.releases:
        held_then = [one for one in release.approvals if one.at <= held.at]
        if not held_then or held_then[-1].decision != "approved":
            continue
        if release.ref not in gates:
            yield Gap(
                4,
                f"{release.ref} は昇格判定なしで承認された。",
                f"{release.ref} was approved without a promotion gate.",
            )
        elif not gates[release.ref].content["passed"]:
            why = held_then[-1].conditions.override or "exception"
            yield Gap(
                4,
                f"{release.ref} は不合格の昇格判定を覆して承認された（{why}）。",
                f"{release.ref} was approved although the promotion gate said no ({why}).",
            )


def _monitoring(held: Held) -> Iterator[Gap]:
    if not held.champion:
        return
    reports = [row for row in held.filings if row.kind == "monitoring" and row.subject == held.champion]
    if not reports or reports[-1].at < held.at - _MONITORED:
        last = f"{reports[-1].at:%Y-%m-%d}" if reports else "—"
        yield Gap(
            5,
            f"使用中の {held.champion} の直近のモニタリング報告がない（最終 {last}）。",
            f"There is no recent monitoring report on {held.champion}, which answers (the last: {last}).",
        )


def _validation(held: Held) -> Iterator[Gap]:
    tested = {str(row.content.get("about")) for row in held.filings if row.kind == "validation"}
    for model in held.models:
        if model.kind == "release" and model.status in ("approved", "conditional") and model.ref not in tested:
            yield Gap(
                6,
                f"{model.ref} は独立した検証なしで使用されている。",
                f"{model.ref} is in use without independent validation.",
            )
        if model.expiry and model.expiry < held.at.date().isoformat():
            yield Gap(
                6,
                f"{model.ref} の再検証期限 {model.expiry} を過ぎた。",
                f"{model.ref} was due again on {model.expiry}.",
            )
    for row in {row.subject: row for row in held.filings if row.kind == "finding"}.values():
        if not row.content.get("ended") and datetime.fromisoformat(row.content["due"]) < held.at:
            due = row.content["due"][:10]
            yield Gap(
                6, f"指摘 {row.subject} が期限 {due} を過ぎて未解決。", f"Finding {row.subject} is open past {due}."
            )


def _outside(held: Held) -> Iterator[Gap]:
    for release in held.releases:
        if f"releases/{release.ref}/bom.json" not in held.files:
            yield Gap(7, f"{release.ref} の部品表がない。", f"{release.ref} has no bill of materials.")
    yield Gap(
        7,
        "外部モデルの学習データは提供元が公開する範囲でしか分からない。",
        "Of outside models' own training data no more is known than their makers publish.",
    )


def _audit(held: Held) -> Iterator[Gap]:
    if held.broken:
        yield Gap(8, f"記録が破られている: {held.broken}", f"The log does not hold: {held.broken}")
    if not held.anchors:
        yield Gap(
            8,
            "外部の錨がない。末尾の切り取りや古い複製への差し替えを検知できない。",
            "There is no anchor outside: a cut tail or an old copy put back could not be seen.",
        )
    elif held.unanchored:
        days, last = len(held.unanchored), held.unanchored[-1]
        yield Gap(
            8,
            f"記録があるのに錨を残していない日が{days}日ある（直近 {last}）。",
            f"On {days} days entries were made and no anchor was noted (the last: {last}).",
        )
    yield Gap(
        8,
        "署名は利用者名による。デスクではサインインが本人を示すが、コマンドでは示さず、記録にその別はない。",
        "Acts are signed by name: at the desk signing in shows who it is, by command nothing does, and the log does "
        "not tell which it was.",
    )
