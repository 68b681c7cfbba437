"""What the page of one comment says about changes, work in progress and style: key -> (Japanese, English)."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CLIENT_WRITING", "WRITING"]

WRITING: Mapping[str, tuple[str, str]] = {
    # list of changes
    "changes_title": ("変更の一覧", "Changes"),
    "changes_note": (
        "理由は次の学習に使われます",
        "Reasons teach the model",
    ),
    "changes_none": (
        "修正案を作成するか公表文を書くと、変更がここに並びます。",
        "Ask for a revision or write: changes are listed here.",
    ),
    "changes_wait": (
        "書き終わりしだい、変更を一覧にします。",
        "Changes are listed as soon as the revision is complete.",
    ),
    "changes_same": ("原稿からの変更はありません。", "Nothing differs from the draft."),
    "decided_of": ("{n} / {of} 件 判断済み", "{n} of {of} decided"),
    "accept": ("採用", "Accept"),
    "reject": ("戻す", "Reject"),
    "alter": ("直す", "Alter"),
    "accept_all": ("残りをすべて採用", "Accept the rest"),
    "own_change": ("手入力", "Own"),
    "nothing": ("（なし）", "(nothing)"),
    "decision_accepted": ("採用", "accepted"),
    "decision_rejected": ("原稿に戻した", "rejected"),
    "decision_altered": ("書き直した", "altered"),
    "decision_marked": ("理由を付けた", "marked"),
    "undecided": ("未判断", "undecided"),
    "reason_kind": ("理由の区分", "Reason"),
    "reason_none": ("理由なし", "No reason"),
    "reason_style": ("文体", "Style"),
    "reason_fact": ("事実", "Fact"),
    "reason_tone": ("語調", "Tone"),
    "reason_compliance": ("法令等", "Compliance"),
    "reason_other": ("その他", "Other"),
    "note": ("補足", "Note"),
    "note_placeholder": ("補足（任意）", "Note (optional)"),
    "change_gone": (
        "この変更は今の文にはありません。一覧から選び直してください。",
        "This change is no longer there. Choose one from the list.",
    ),
    "saving_decision": ("記録しています…", "Recording…"),
    # work in progress
    "kept_there": ("未保存（書きかけを {at} に保管しました）", "Not saved yet (draft kept at {at})"),
    "keep_failed": (
        "サーバーに保管できません。このブラウザには控えがあります。",
        "The server cannot keep your text; this browser does.",
    ),
    "notice_work": ("{at} に保管した書きかけから再開しました。", "You go on with what you had written by {at}."),
    "present_writing": ("{who} さんがこの公表文を編集中です", "{who} is editing this comment"),
    "present_reading": ("{who} さんもこの原稿を開いています", "{who} has this draft open too"),
    "present_work": ("{who} さんの書きかけがあります（{at}）", "{who} has unsaved work here ({at})"),
    "notice_elsewhere": (
        "別の画面でこの公表文を書き進めています（{at}）。",
        "You went on with this comment in another window ({at}).",
    ),
    # merge
    "merge_title": ("二つの文をまとめる", "Bring the two together"),
    "merge_mine": ("自分の文", "Mine"),
    "merge_theirs": ("相手の文", "Theirs"),
    "merge_open": ("あと{n}か所を選んでください", "{n} places left to choose"),
    "merge_ready": ("この内容で続けられます", "Ready"),
    "merge_all_mine": ("すべて自分の文", "All mine"),
    "merge_all_theirs": ("すべて相手の文", "All theirs"),
    "merge_done": ("この文で続ける", "Go on with this text"),
    "merge_later": ("あとで", "Later"),
    # style
    "style_title": ("社内の文体", "House style"),
    "style_ok": ("文体の規則に反する箇所はありません。", "Nothing breaks the house style."),
    "style_count": ("{n}か所", "{n} places"),
    "style_count_one": ("1か所", "1 place"),
    "style_fix": ("「{write}」に直す", "Write “{write}”"),
    "style_cut": ("削る", "Cut"),
    "style_fix_all": ("まとめて直す", "Fix all"),
    "style_none": ("文体の規則は登録されていません。", "No style rules are set."),
    "legend_style": ("文体", "Style"),
    # required passages
    "required": ("必要な文言", "Required"),
    "required_missing": ("公表文に必要な文言がありません", "A required passage is missing"),
    "required_add": ("末尾に入れる", "Add at the end"),
    # candidates
    "candidates": ("複数の案を比べる", "Compare several"),
    "candidates_text": (
        "どのモデルが書いたかは伏せ、並びも毎回変わります。選んだ案は学習用の記録に残ります。",
        "Who wrote which is not told, and the order is drawn. Your choice is recorded to learn from.",
    ),
    "candidates_wait": ("案を作成しています…", "Writing the candidates…"),
    "candidates_same": (
        "案はどれも同じ文でした。比べるものがありません。",
        "All candidates read the same: there is nothing to compare.",
    ),
    "candidate": ("案", "Candidate"),
    "candidate_choose": ("この案を使う", "Use this one"),
    # beside the text
    "beside": ("参考", "Beside the text"),
    "beside_similar": ("似た公表文", "Similar"),
    "beside_last": ("前月の公表文", "Last month"),
    "beside_why": ("変更の理由", "Why this change"),
    "beside_hint": ("ボタンを押すと、ここに表示します。", "Press a button to see it here."),
    "beside_take": ("この文を編集欄に入れる", "Put this text into the editor"),
    "beside_none_similar": (
        "似た公表文はまだありません。保存した公表文がここで探されます。",
        "No similar comment yet: what is saved is searched here.",
    ),
    "beside_none_last": ("このファンドの前月以前の公表文はありません。", "There is no earlier comment of this fund."),
    "beside_pick": ("先に変更の一覧から1件選んでください。", "Choose a change from the list first."),
    "why_rule": ("文体の規則", "Style rule"),
    "why_learnt": ("過去の実例", "Past examples"),
    "why_times": ("同じ変更が {n} 件の公表文にあります。", "The same change stands in {n} comments."),
    "why_quoted": ("参照した例", "Quoted"),
    "why_examples": (
        "この修正案は、過去の公表文 {n} 件を例として参照して書かれました。",
        "This revision was written with {n} past comments as examples.",
    ),
    "why_model": ("モデルの判断", "The model's own"),
    "why_nothing": (
        "この変更に当たる規則も、同じ変更をした公表文も見つかりません。",
        "No rule asks for this change, and no saved comment made the same one.",
    ),
    # handing out
    "out": ("出力", "Export"),
    "out_this": ("この公表文", "This comment"),
    "out_month": ("この月のすべて", "All of this month"),
    "out_history": ("変更履歴を付ける", "With change history"),
    "out_finals": ("公表文", "Comments"),
    "out_by": ("担当", "By"),
    "out_at": ("日時", "At"),
    "out_reasons": ("事実の相違の理由", "Reasons for facts that differ"),
    "out_what": ("内容", "What"),
    "out_old": ("前", "Before"),
    "out_new": ("後", "After"),
    "out_docx": ("Word", "Word"),
    "out_xlsx": ("Excel", "Excel"),
    "out_csv": ("CSV", "CSV"),
    "out_json": ("JSON", "JSON"),
    "out_template": (
        "Word のひな形が使えません。システム管理者に次の内容を伝えてください。",
        "The house's Word template cannot be used. Please pass this on to whoever keeps it.",
    ),
    "out_none": ("出力できる保存済みの公表文がありません。", "No saved comment can be exported yet."),
    # help
    "help": ("キー操作", "Keyboard"),
    "help_title": ("キー操作", "Keyboard"),
    "help_everywhere": ("どこでも", "Anywhere"),
    "help_list": ("変更の一覧で", "In the list of changes"),
    "help_next": ("次・前の変更へ", "Next, previous change"),
    "help_decide": ("採用・戻す・直す", "Accept, reject, alter"),
    "help_reason": (
        "理由（文体・事実・語調・法令等・その他、0で取消）",
        "Reason (style, fact, tone, compliance, other; 0 clears)",
    ),
    "help_note": ("補足を書く", "Write a note"),
    "help_open": ("判断を取り消す", "Take the decision back"),
    "help_undo": ("元に戻す・やり直す（判断も戻ります）", "Undo, redo (decisions too)"),
    "help_fix": ("次の文体の箇所を直す", "Fix the next style place"),
    "help_ask": ("修正案を作成", "Ask LLM"),
    "help_save": ("保存", "Save"),
    "help_this": ("この一覧を開く（欄の中では F1）", "This list (F1 inside a field)"),
}

CLIENT_WRITING = (
    "kept_there",
    "keep_failed",
    "notice_work",
    "change_gone",
    "merge_open",
    "merge_ready",
    "merge_mine",
    "merge_theirs",
    "nothing",
    "saving_decision",
    "beside_pick",
    "beside_hint",
    "candidates_wait",
)
"""What the scripts say by themselves."""
