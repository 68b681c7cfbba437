"""What the pages on lineage and monitoring say: key -> (Japanese, English)."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["GOVERN"]

GOVERN: Mapping[str, tuple[str, str]] = {
    "nav_lineage": ("系譜", "Lineage"),
    "nav_watch": ("監視", "Monitoring"),
    # lineage
    "lineage_title": ("モデルの系譜", "Lineage of models"),
    "lineage_text": (
        "モデルは何から作られ、何を見て、いつ誰の承認で使われたか。台帳の記録から答えます。",
        "What models were made from, what they saw, when they answered and on whose word: from the ledger.",
    ),
    "lineage_made": ("この文を書いたモデルは、何から作られたか", "What made the model that wrote this sentence?"),
    "lineage_made_hint": ("文の一部、またはリリースの名前", "A part of the sentence, or the name of a release"),
    "lineage_saw": (
        "どのモデルが、この文書や人の文を学んだか",
        "Which models saw this document, or what this person wrote?",
    ),
    "lineage_saw_hint": (
        "ファイル、ファイル#行、対の番号、執筆者、運用会社",
        "A file, file#row, a pair's id, a writer, or an outside manager",
    ),
    "lineage_at": (
        "その時点で何が使われ、誰が承認していたか",
        "What was in use at that moment, and who had approved it?",
    ),
    "lineage_at_hint": ("日時（この端末の時間帯）", "Date and time, in this machine's zone"),
    "lineage_ask": ("調べる", "Look"),
    "lineage_took": ("{n} 秒で回答", "answered in {n} s"),
    "lineage_pairs": ("学んだ対", "Pairs that taught it"),
    "lineage_pairs_n": ("{n} 対", "{n} pairs"),
    "lineage_pairs_n_one": ("1 対", "1 pair"),
    "lineage_first": ("はじめの {n} 対", "the first {n}"),
    "lineage_found": ("文が残っている場所", "Where the sentence stands"),
    "lineage_from": ("作られた元", "Made from"),
    "lineage_releases": ("学んだモデル", "Models that saw it"),
    "lineage_places": ("ほか {n} か所", "and {n} more"),
    "lineage_more": ("ほか {n} モデル", "and {n} more"),
    "lineage_no_model": ("学んだモデルはありません。", "No model saw it."),
    "lineage_nothing_seen": (
        "その名前の文書・対・人は、どのモデルの教材にもありません。",
        "No lessons hold a document, pair or person of that name.",
    ),
    "lineage_no_sentence": (
        "この文を含む回答は残っていません。デスクの案はすべて、API の回答は serve.record が full のときだけ残ります。",
        "No answer that is kept holds it. Proposals of the desk are kept; API answers under serve.record = full alone.",
    ),
    "lineage_no_date": ("日時を読み取れません。", "That is no date and time."),
    "lineage_nothing_stood": ("その時点で使われていたモデルはありません。", "Nothing was in use at that moment."),
    "lineage_in_use": ("使われていたモデル", "In use"),
    "lineage_tried": ("質問の {share} で試用", "tried on {share} of the questions"),
    "lineage_since": ("{at} から", "since {at}"),
    "pair": ("対", "Pair"),
    "document": ("文書", "Document"),
    "person": ("人", "Person"),
    "release_name": ("リリース", "Release"),
    "decided": ("判断", "Decision"),
    "decided_by": ("担当", "By"),
    "decided_at": ("日時", "At"),
    "decided_note": ("備考", "Note"),
    "gov_approved": ("承認", "approved"),
    "gov_rejected": ("却下", "rejected"),
    "gov_withdrawn": ("撤回", "withdrawn"),
    "gov_candidate": ("候補", "candidate"),
    "gov_expired": ("期限切れ", "expired"),
    "gov_retired": ("廃止", "retired"),
    # monitoring
    "watch_title": ("モニタリング", "Monitoring"),
    "watch_text": (
        "リリースごとの月次の値。管理限界はそれまでの月の平均 ± 2.66 × 平均移動範囲（3 か月から）。",
        "Each release month by month. Limits: the mean of the months before, plus and minus 2.66 mean moving ranges.",
    ),
    "watch_empty": ("まだどのリリースも応答していません。", "No release has answered yet."),
    "watch_release": ("リリース", "Release"),
    "watch_show": ("表示", "Show"),
    "watch_alerts": ("警告", "Alerts"),
    "watch_no_alerts": ("管理限界を外れた値はありません。", "Nothing is outside its limits."),
    "watch_few": (
        "実績が 3 か月に満たないため、管理限界はまだありません。入力の変化（PSI）だけを警告します。",
        "With fewer than three months there are no limits yet; only drift of what comes in (PSI) is an alert.",
    ),
    "watch_answers": ("応答", "Answers"),
    "watch_month": ("月", "Month"),
    "watch_figure": ("指標", "Figure"),
    "watch_value": ("値", "Value"),
    "watch_limits": ("限界", "Limits"),
    "watch_charts": ("管理図", "Control charts"),
    "watch_key_value": ("月の値", "The month's figure"),
    "watch_key_bound": ("管理限界", "Limits"),
    "watch_key_mean": ("それまでの平均", "Mean before"),
    "watch_key_out": ("限界の外", "Outside"),
    "watch_record": ("報告と判断", "Reports and decisions"),
    "watch_no_record": (
        "まだ記録がありません。tensaku monitor --month YYYY-MM --report --by NAME で報告を残します。",
        "Nothing is on record yet. Put a month's report there: tensaku monitor --month YYYY-MM --report --by NAME",
    ),
    "watch_report": ("報告", "report"),
    "watch_retrain": ("再調整する", "retrain"),
    "watch_keep": ("再調整しない", "keep"),
    "watch_gain": ("見込み {gain}、費用 {cost}", "expected {gain}, cost {cost}"),
    "watch_of_months": ("{first} から {last}、{n} 件の応答", "{first} to {last}, {n} answers"),
    "watch_champion": ("使用中", "in use"),
}
