"""What the inbox says, in Japanese and in English."""

from __future__ import annotations

from collections.abc import Mapping

from tensaku.desk.words import Language

__all__ = ["INBOX_WORDS"]

_PAIRS: dict[str, tuple[str, str]] = {
    "title": ("報告書の受付", "Reports"),
    "lead": (
        "運用会社の報告書を読み込み、区分ごとの原稿にします。判断に迷うものは、理由を添えてここに残します。",
        "Managers' reports become drafts by section. What is in doubt waits here, with the reason.",
    ),
    "other_language": ("English", "日本語"),
    "drop": ("ここに報告書をドロップ", "Drop reports here"),
    "drop_note": (
        "PDF・Word・Excel・HTML・テキスト、またはそれらのフォルダー・zip（1ファイル50 MBまで）",
        "PDF, Word, Excel, HTML or text, or a folder or zip of them (up to 50 MB a file)",
    ),
    "choose": ("ファイルを選ぶ", "Choose files"),
    "choose_folder": ("フォルダーを選ぶ", "Choose a folder"),
    "waiting": ("確認待ち", "Waiting"),
    "recent": ("最近の受付", "Brought in lately"),
    "none_waiting": ("確認待ちの報告書はありません。", "No report waits."),
    "none_recent": ("まだ報告書を受け付けていません。", "No report has come in yet."),
    "filed": ("原稿にした", "filed"),
    "inbox": ("確認待ち", "waiting"),
    "set-aside": ("取り置き", "set aside"),
    "known": ("受付済み", "known already"),
    "failed": ("受け付けられません", "not taken"),
    "reading": ("読み取り中…", "Reading…"),
    "why": ("確認が必要な理由", "Why it waits"),
    "manager": ("運用会社", "Manager"),
    "fund": ("ファンド", "Fund"),
    "funds_several": ("{n}ファンド（下で確認）", "{n} funds (see below)"),
    "fund_of": ("「{heading}」のファンド", "Fund of {heading}"),
    "choose_fund": ("ファンドを選ぶ", "Choose a fund"),
    "every_fund": ("全ファンド共通", "Every fund"),
    "month": ("対象月", "Month"),
    "parts": ("見出しと本文", "Headings and texts"),
    "no_heading": ("（見出しの前の文章）", "(text before the first heading)"),
    "section_of": ("{heading}の区分", "Section of {heading}"),
    "choose_section": ("区分を選択", "Choose"),
    "none": ("どの区分でもない", "None of them"),
    "file": ("この内容で原稿にする", "File as drafts"),
    "file_note": (
        "選んだ区分はこの運用会社の書き方として覚え、次の報告書から使います。",
        "What you choose is learnt as this manager's own wording, and used from the next report on.",
    ),
    "aside": ("取り置く", "Set aside"),
    "aside_why": ("取り置く理由", "Why it is set aside"),
    "unreadable": (
        "本文は読み取れていません。元のファイルは保管してあります。",
        "Nothing was read of it. The file itself is kept.",
    ),
    "tables": ("表・欄外（原稿には入りません）", "Tables and margins (not part of a draft)"),
    "filed_as": ("{n}件の原稿にしました", "Filed as {n} drafts"),
    "pick": ("左の一覧から報告書を選んでください。", "Choose a report from the list."),
    "headings": ("運用会社ごとの見出し", "Headings by manager"),
    "headings_note": (
        "報告書から覚えた対応です。直すと、次の報告書から使われます。",
        "Learnt from their reports. A correction counts from the next report on.",
    ),
    "none_headings": ("まだ何も覚えていません。", "Nothing has been learnt yet."),
    "heading": ("見出し", "Heading"),
    "section": ("区分", "Section"),
    "below": ("（{section}の下）", "(below {section})"),
    "learnt_by": ("覚えた人・日", "By, on"),
    "system": ("自動", "automatic"),
    "nobody": ("担当者を原稿一覧で選んでから操作してください。", "Choose who you are on the page of drafts first."),
    "no_right": ("この操作には執筆者の権限が必要です。", "This needs the rights of a writer."),
    "decided": ("この報告書は、すでにほかの人が処理しました。", "Somebody else has decided on this report meanwhile."),
    "label_open": ("運用会社、ファンド、対象月をすべて入力してください。", "Fill in manager, fund and month."),
    "month_open": ("対象月は 2026-10 のように入力してください。", "Write the month as 2026-10."),
    "section_open": ("「{heading}」の区分を選んでください。", "Choose the section of “{heading}”."),
    "fund_open": ("「{heading}」のファンドを選んでください。", "Choose the fund of “{heading}”."),
    "reason_open": ("取り置く理由を書いてください。", "Write why it is set aside."),
    "handed_on": ("ほかの担当者の受付にあります", "It is with others who have the right to its fund"),
    "saved": ("覚えました。", "Learnt."),
    "too_large": ("ファイルが大きすぎます（50 MBまで）。", "The file is too large (up to 50 MB)."),
    "broken": ("受付に失敗しました。もう一度お試しください。", "It could not be brought in. Please try again."),
    "place": ("{file} より", "from {file}"),
}

INBOX_WORDS: Mapping[Language, Mapping[str, str]] = {
    "ja": {key: pair[0] for key, pair in _PAIRS.items()},
    "en": {key: pair[1] for key, pair in _PAIRS.items()},
}
"""Language -> key -> what is said."""
