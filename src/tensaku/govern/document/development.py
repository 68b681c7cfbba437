"""The sections on how the model was made: purpose, data, method, assumptions, limits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tensaku.govern.document.known import Sealed, Standing
from tensaku.govern.document.parts import (
    LEDGER,
    Block,
    Bullets,
    Cell,
    Facts,
    Line,
    Paragraph,
    Quote,
    Table,
    Value,
)
from tensaku.govern.document.text import UNKNOWN, interval_of, number, percent, pieces
from tensaku.govern.document.words import Words
from tensaku.revise import SECTIONS, form_of
from tensaku.store import Artifact

__all__ = ["assumptions", "data", "limits", "method", "purpose"]

_FEW = 5
"""Exam pairs of a manager or a section below which its figures say nothing."""

_COURSE: tuple[str, ...] = (
    "lessons",
    "too_long",
    "duplicates",
    "steps",
    "first_loss",
    "last_loss",
    "validation_loss",
    "tune_seconds",
)
_COURSE += ("trainable_parameters", "peak_memory_mb", "size_mb", "precision", "product", "threads")


def purpose(sealed: Sealed, standing: Standing | None, w: Words) -> Iterator[Block]:
    """What the model is for and who answers for it."""
    yield Paragraph((sealed.gate.purpose_ja if w.language == "ja" else sealed.gate.purpose_en,))
    rows: list[tuple[str, Cell]] = [(w["task"], sealed.title)]
    if standing is None:
        rows.append((w["owner"], sealed.gate.owner or UNKNOWN))
    else:
        model = standing.model
        rows += [
            (word, Value(value or UNKNOWN, LEDGER, f"model:{model.ref}"))
            for word, value in ((w["owner"], model.owner or sealed.gate.owner), (w["users"], model.users))
        ]
    yield Facts(tuple(rows))


def data(sealed: Sealed, w: Words) -> Iterator[Block]:
    """What it was taught and examined with, and what was set aside on the way."""
    lessons, exam = sealed.evidence.lessons, sealed.evidence.exam
    pool, ref = lessons.facts.get("pool", {}), lessons.inputs.get("pool", "")
    steps = pool.get("steps", ())
    if steps:
        taught, asked = (Value(number(one.facts.get("n")), one.ref, "n") for one in (lessons, exam))
        came = Value(number(steps[0]["before"]), ref, "steps.0.before")
        stay = Value(number(pool["n"]), ref, "n")
        yield Paragraph(pieces(w["flow"], came=came, stay=stay, taught=taught, asked=asked))
    yield from _sources(pool, ref, w)
    if steps:
        rows = tuple(
            (
                w.get(f"step:{step['step']}", step["step"]),
                Value(number(step["before"]), ref, f"steps.{n}.before"),
                _reasons(step["dropped"], ref, f"steps.{n}.dropped", w),
                Value(number(step["after"]), ref, f"steps.{n}.after"),
            )
            for n, step in enumerate(steps)
        )
        yield Table((w["step"], w["before"], w["aside"], w["after"]), rows, 1, w["steps"])
    sets = tuple((name, *_set(held, w)) for name, held in ((w["lessons"], lessons), (w["exam"], exam)))
    yield Table((w["set"], w["count"], w["months"], w["dropped"]), sets, 1, w["sets"])
    yield from _labels(pool.get("datasheet", {}), ref, w)
    found: list[tuple[str, Cell]] = []
    for held in (lessons, sealed.evidence.evaluation):
        seen = held.facts.get("form_seen_share")
        if seen is not None:
            found.append((w["seen"], Value(percent(seen), held.ref, "form_seen_share")))
            break
    if "near_copies" in lessons.facts:
        near = Value(number(lessons.facts["near_copies"]), lessons.ref, "near_copies")
        found.append((w["near"].format(near=lessons.facts.get("near", "")), near))
    if found:
        yield Facts(tuple(found))


def _sources(pool: Mapping[str, Any], ref: str, w: Words) -> Iterator[Block]:
    files = pool.get("source", {}).get("files", ())
    if not files:
        return
    rows = tuple(
        (
            file["file"],
            Value(number(file["rows"]), ref, f"source.files.{n}.rows"),
            Value(number(file["pairs"]), ref, f"source.files.{n}.pairs"),
            _reasons(file["set_aside"], ref, f"source.files.{n}.set_aside", w),
            Value(file["sha256"][:16], ref, f"source.files.{n}.sha256"),
        )
        for n, file in enumerate(files)
        if "sha256" in file
    )
    if rows:
        yield Table((w["file"], w["rows"], w["pairs"], w["aside"], "SHA-256"), rows, 1, w["sources"])


def _set(held: Artifact, w: Words) -> tuple[Cell, Cell, Cell]:
    dropped = held.facts.get("dropped")
    told = _reasons(dropped, held.ref, "dropped", w) if isinstance(dropped, Mapping) else UNKNOWN
    return Value(number(held.facts.get("n")), held.ref, "n"), Value(_months(held.facts), held.ref, "months"), told


def _reasons(counts: Mapping[str, int], ref: str, fact: str, w: Words) -> Value:
    told = w.listed([f"{w.get(f'why:{why}', why)} {n}" for why, n in counts.items()])
    return Value(told or "0", ref, fact)


def _months(facts: Mapping[str, Any]) -> str:
    months = facts.get("months")
    return f"{months['first']} – {months['last']}" if isinstance(months, Mapping) and "first" in months else UNKNOWN


def _labels(sheet: Mapping[str, Any], ref: str, w: Words) -> Iterator[Block]:
    rows: list[tuple[Cell, ...]] = []
    for name in ("section", "manager", "fund"):
        counts = sheet.get(name, {})
        if counts:
            most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
            known = SECTIONS[w.language] if name == "section" else {}
            ends = (
                Value(f"{known.get(one, one)} {counts[one]:,}", ref, f"datasheet.{name}.{one}") for one in (most, least)
            )
            rows.append((w[name], Value(number(len(counts)), ref, f"datasheet.{name}"), *ends))
    if rows:
        yield Table((w["label"], w["kinds_n"], w["largest"], w["smallest"]), tuple(rows), 1, w["by_label"])


def method(sealed: Sealed, w: Words) -> Iterator[Block]:
    """What was tuned, over which model, how."""
    base, tuned = sealed.evidence.base, sealed.evidence.adapter
    facts = base.facts
    rows: list[tuple[str, Cell]] = [
        (w[form_of(tuned)], Value(tuned.ref, tuned.ref)),
        (w["method"], Value(number(tuned.facts.get("method")), tuned.ref, "method")),
        (w["base"], Value(base.ref, base.ref)),
        *((w[key], Value(number(facts.get(key)), base.ref, key)) for key in ("source", "licence")),
        (w["hash"], Value(number(facts.get("sha256")), base.ref, "sha256")),
        (w["parameters"], Value(number(facts.get("parameters")), base.ref, "parameters")),
    ]
    if "k" in tuned.facts:
        rows.append((w["quoted"], Value(f"{tuned.facts['k']}, {number(tuned.facts.get('order'))}", tuned.ref, "k")))
    if "untrimmed_sha256" in facts:
        rows.append((w["untrimmed"], Value(facts["untrimmed_sha256"], base.ref, "untrimmed_sha256")))
    yield Facts(tuple(rows))
    settings = tuple((key, Value(number(value), tuned.ref, f"config.{key}")) for key, value in tuned.config.items())
    if settings:
        yield Table((w["setting"], w["value"]), settings, 1, w["settings"])
    course = tuple(
        (w.get(f"course:{key}", key), Value(_course(tuned.facts[key]), tuned.ref, key))
        for key in _COURSE
        if key in tuned.facts
    )
    if course:
        yield Table((w["item"], w["value"]), course, 1, w["course"])
    if sealed.instruction:
        yield Paragraph((w["instruction"],), "head")
        yield Quote(sealed.instruction)


def _course(value: Any) -> str:
    return number(len(value)) if isinstance(value, list) else number(value)


def assumptions(sealed: Sealed, w: Words) -> Iterator[Block]:
    """What has to hold for the figures to hold, as the making and the examination took it."""
    lessons, exam, evaluation = sealed.evidence.lessons, sealed.evidence.exam, sealed.evidence.evaluation
    items: list[Line] = [pieces(w["a_form"], months=Value(_months(exam.facts), exam.ref, "months"))]
    if "facts_kept_reference" in evaluation.facts:
        share = Value(percent(evaluation.facts["facts_kept_reference"]), evaluation.ref, "facts_kept_reference")
        items.append(pieces(w["a_truth"], share=share))
    last = str((lessons.facts.get("months") or {}).get("last", UNKNOWN))
    items.append(pieces(w["a_past"], last=Value(last, lessons.ref, "months.last")))
    engine = evaluation.config.get("engine")
    if isinstance(engine, Mapping):
        told = ", ".join(f"{key} {value}" for key, value in engine.items() if "key" not in key)
        items.append(pieces(w["a_engine"], engine=Value(told, evaluation.ref, "config.engine")))
    safe = evaluation.config.get("facts_safe")
    if safe is not None:
        items.append((Value(w["a_safe" if safe else "a_free"], evaluation.ref, "config.facts_safe"),))
    items.append((w["a_person"],))
    yield Bullets(tuple(items))


def limits(sealed: Sealed, w: Words) -> Iterator[Block]:
    """What it must not be used for, and what its own figures say about where it is weak."""
    told = sealed.gate.limits_ja if w.language == "ja" else sealed.gate.limits_en
    yield Bullets(tuple((line,) for line in told))
    found = list(_measured_limits(sealed, w))
    if found:
        yield Bullets(tuple(found))


def _measured_limits(sealed: Sealed, w: Words) -> Iterator[Line]:
    facts, ref = sealed.evidence.evaluation.facts, sealed.evidence.evaluation.ref
    first = next(iter(facts.get("intervals", {})), "")
    ends = interval_of(facts, first, "tuned")
    if ends is not None:
        width = Value(number(round(ends[1] - ends[0], 1)), ref, f"intervals.{first}.tuned")
        yield pieces(w["l_small"], n=Value(number(facts.get("exam_n")), ref, "exam_n"), width=width)
    kept = facts.get("facts_kept")
    if isinstance(kept, int | float) and kept < 1:
        yield pieces(w["l_facts"], share=Value(percent(1 - kept), ref, "facts_kept"))
    seen = facts.get("form_seen_share")
    if isinstance(seen, int | float) and seen > 0:
        yield pieces(w["l_seen"], share=Value(percent(seen), ref, "form_seen_share"))
    if facts.get("cut_off"):
        yield pieces(w["l_cut"], n=Value(number(facts["cut_off"]), ref, "cut_off"))
    yield from _rare(sealed, w)
    memorised = sealed.evidence.adapter.facts.get("memorised")
    if isinstance(memorised, Mapping):
        yield (Value(str(memorised[w.language]), sealed.evidence.adapter.ref, f"memorised.{w.language}"),)


def _rare(sealed: Sealed, w: Words) -> Iterator[Line]:
    """Managers and sections of which the exam has few pairs, or none."""
    exam, pool = sealed.evidence.exam, sealed.evidence.lessons.facts.get("pool", {})
    with exam.file("exam.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for name in ("manager", "section"):
        counts = Counter(str(row[name]) for row in rows if row.get(name))
        few = [f"{one} ({n})" for one, n in counts.items() if n < _FEW]
        missing = [one for one in pool.get("datasheet", {}).get(name, {}) if one not in counts]
        for word, names in (("l_few", few), ("l_none", missing if counts else [])):
            if names:
                told = Value(w.listed(names), exam.ref, "n")
                yield pieces(w[word], label=w[name], names=told)
