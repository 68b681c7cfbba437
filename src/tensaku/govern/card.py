"""The model document (model card) of a release: one page in Japanese, the same in English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tensaku.govern.gates import GateResult
from tensaku.govern.lineage import Evidence
from tensaku.govern.sections import Gate
from tensaku.revise import form_of

__all__ = ["write_card"]

UNKNOWN = "—"


def write_card(task: str, gate: Gate, evidence: Evidence, results: Sequence[GateResult]) -> str:
    """The document as Markdown.

    Args:
        task: the task's name.
        gate: the section with purpose, owner and limits.
        evidence: what the release stands on.
        results: what the gates found.
    """
    pages = (_page(task, gate, evidence, results, words) for words in (JA, EN))
    return "\n---\n\n".join(pages)


JA = {
    "title": "モデル文書",
    "purpose": "目的",
    "what": "対象",
    "task": "業務",
    "owner": "責任者",
    "adapter": "アダプター",
    "weights": "調整した重み",
    "prompt": "プロンプト",
    "quoted": "引用する過去の対の数と順",
    "method": "調整方法",
    "base": "基盤モデル",
    "source": "入手元",
    "licence": "ライセンス",
    "hash": "ハッシュ（SHA-256）",
    "parameters": "パラメータ数",
    "untrimmed": "語彙を絞る前のハッシュ",
    "data": "データ",
    "set": "区分",
    "count": "件数",
    "months": "対象月",
    "dropped": "除外",
    "lessons": "学習",
    "exam": "試験（学習に不使用）",
    "seen": "試験文のうち、事実を伏せた形が学習データにもある割合",
    "results": "結果",
    "measure": "指標",
    "draft": "原稿のまま",
    "rules": "規則だけ",
    "untuned": "基盤モデル",
    "tuned": "調整後",
    "facts": "事実（数値・日付・単位・名称・否定）をすべて保った出力の割合",
    "lost": "文の欠落／重複",
    "sample": "基盤モデルは {exam} 件中 {base} 件の標本で測った。",
    "gates": "合否判定",
    "gate": "関門",
    "measured": "測定値",
    "wanted": "基準",
    "verdict": "判定",
    "pass": "合格",
    "fail": "不合格",
    "limits": "限界と使い方",
    "evidence": "根拠は同じフォルダーの report.html、gates.json、lineage.json にある。",
    "status": "この文書は公開候補のもの。使用には調整者以外の承認者による承認を要し、その記録は台帳にある。",
}
EN = {
    "title": "Model document",
    "purpose": "Purpose",
    "what": "Subject",
    "task": "Task",
    "owner": "Owner",
    "adapter": "Adapter",
    "weights": "Tuned weights",
    "prompt": "Prompt",
    "quoted": "Past pairs quoted, and their order",
    "method": "Tuned by",
    "base": "Base model",
    "source": "Source",
    "licence": "Licence",
    "hash": "Hash (SHA-256)",
    "parameters": "Parameters",
    "untrimmed": "Hash before its vocabulary was trimmed",
    "data": "Data",
    "set": "Set",
    "count": "Pairs",
    "months": "Months",
    "dropped": "Set aside",
    "lessons": "Lessons",
    "exam": "Exam (never trained on)",
    "seen": "Share of exam sentences whose form, facts masked, also stands in the lessons",
    "results": "Results",
    "measure": "Measure",
    "draft": "Draft untouched",
    "rules": "Replacements alone",
    "untuned": "Base model",
    "tuned": "Tuned",
    "facts": "Share of outputs that keep every fact (numbers, dates, units, names, negations)",
    "lost": "Sentences dropped / doubled",
    "sample": "The base model was measured on a sample of {base} of the {exam} pairs.",
    "gates": "Gates",
    "gate": "Gate",
    "measured": "Measured",
    "wanted": "Wanted",
    "verdict": "Verdict",
    "pass": "passed",
    "fail": "failed",
    "limits": "Limits and use",
    "evidence": "The evidence stands beside this page: report.html, gates.json, lineage.json.",
    "status": "This page is of a candidate. Use needs the word of an approver who did not tune it; see the ledger.",
}


def _page(task: str, gate: Gate, e: Evidence, results: Sequence[GateResult], w: Mapping[str, str]) -> str:
    purpose, limits = (gate.purpose_ja, gate.limits_ja) if w is JA else (gate.purpose_en, gate.limits_en)
    parts = [
        f"# {w['title']}: {task}",
        w["status"],
        f"## {w['purpose']}\n\n{purpose}",
        f"## {w['what']}\n\n{_table((), _subject(task, gate, e, w))}",
        f"## {w['data']}\n\n{_data(e, w)}",
        f"## {w['results']}\n\n{_results(e.evaluation.facts, w)}",
        f"## {w['gates']}\n\n{_gates(results, w)}",
        f"## {w['limits']}\n\n" + "\n".join(f"- {line}" for line in limits),
        w["evidence"],
    ]
    return "\n\n".join(parts) + "\n"


def _subject(task: str, gate: Gate, e: Evidence, w: Mapping[str, str]) -> list[tuple[str, str]]:
    base, tuned = e.base.facts, e.adapter.facts
    rows = [
        (w["task"], task),
        (w["owner"], gate.owner or UNKNOWN),
        (w[form_of(e.adapter)], e.adapter.ref),
        (w["method"], _text(tuned.get("method"))),
        (w["base"], e.base.ref),
        (w["source"], _text(base.get("source"))),
        (w["licence"], _text(base.get("licence"))),
        (w["hash"], _text(base.get("sha256"))),
        (w["parameters"], _text(base.get("parameters"))),
    ]
    if "k" in tuned:
        rows.append((w["quoted"], f"{tuned['k']}, {_text(tuned.get('order'))}"))
    if "untrimmed_sha256" in base:
        rows.append((w["untrimmed"], _text(base["untrimmed_sha256"])))
    return rows


def _data(e: Evidence, w: Mapping[str, str]) -> str:
    rows = [
        (w["lessons"], _text(e.lessons.facts.get("n")), _months(e.lessons.facts), _dropped(e.lessons.facts)),
        (w["exam"], _text(e.exam.facts.get("n")), _months(e.exam.facts), _dropped(e.exam.facts)),
    ]
    seen = e.lessons.facts.get("form_seen_share", e.evaluation.facts.get("form_seen_share"))
    table = _table((w["set"], w["count"], w["months"], w["dropped"]), rows)
    return f"{table}\n\n{w['seen']}: {_text(seen)}" if seen is not None else table


def _results(facts: Mapping[str, Any], w: Mapping[str, str]) -> str:
    scorers = [key.removesuffix("_tuned") for key in sorted(facts) if key.endswith("_tuned")]
    rows = [(name, *(_figure(facts, name, of) for of in ("draft", "rules", "base", "tuned"))) for name in scorers]
    lines = [_table((w["measure"], w["draft"], w["rules"], w["untuned"], w["tuned"]), rows)]
    if facts.get("base_n", facts.get("exam_n")) != facts.get("exam_n"):
        lines.append(w["sample"].format(base=_text(facts["base_n"]), exam=_text(facts.get("exam_n"))))
    lines.append(f"{w['facts']}: {_text(facts.get('facts_kept'))}")
    lost = f"{_text(facts.get('dropped_sentences'))} / {_text(facts.get('doubled_sentences'))}"
    lines.append(f"{w['lost']}: {lost}")
    signatures = facts.get("signatures")
    if isinstance(signatures, Mapping):
        lines.append("\n".join(f"- {name}: `{signature}`" for name, signature in signatures.items()))
    return "\n\n".join(lines)


def _figure(facts: Mapping[str, Any], scorer: str, of: str) -> str:
    """A figure, with the interval that holds it where that was measured."""
    shown = _text(facts.get(f"{scorer}_{of}"))
    interval = facts.get("intervals", {}).get(scorer, {}).get(of)
    return f"{shown} [{_text(interval[0])}, {_text(interval[1])}]" if interval and any(interval) else shown


def _gates(results: Sequence[GateResult], w: Mapping[str, str]) -> str:
    rows = [(r.gate, r.measured, r.wanted, w["pass"] if r.passed else w["fail"]) for r in results]
    return _table((w["gate"], w["measured"], w["wanted"], w["verdict"]), rows)


def _months(facts: Mapping[str, Any]) -> str:
    months = facts.get("months")
    return f"{months['first']} – {months['last']}" if isinstance(months, Mapping) and "first" in months else UNKNOWN


def _dropped(facts: Mapping[str, Any]) -> str:
    dropped = facts.get("dropped")
    return ", ".join(f"{why} {n}" for why, n in dropped.items()) or "0" if isinstance(dropped, Mapping) else UNKNOWN


def _text(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a bar or line feed in a cell would break it."""
    width = len(head) or len(rows[0])
    lines = [head or [""] * width, ["---"] * width, *rows]
    cells = ([str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
