"""What is wrong, said to a Japanese reader: the English sentences of errors that reach a page, and the Japanese ones.

An error's words are for terminals and logs, in English. A Japanese page says the sentence that stands here; what has
none is said to be in the server's log, and is written there, so that no reader meets a language they did not choose.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from tensaku.desk.words import Language
from tensaku.errors import UsageError

__all__ = ["FAULTS", "UNKNOWN", "fault_words", "japanese_of", "kept_words"]

log = logging.getLogger("tensaku.desk")

UNKNOWN = "詳しい内容はサーバーの記録にあります。管理者にお知らせください。"

_FIELDS = {
    "answer": "回答",
    "as_of": "対象月",
    "comment": "コメント",
    "correction": "訂正文",
    "display": "表示名",
    "draft": "原稿",
    "final": "公表文",
    "fund": "ファンド",
    "heading": "見出し",
    "manager": "運用会社",
    "name": "名前",
    "note": "メモ",
    "origin": "取り込み元",
    "question": "質問",
    "reason": "理由",
    "report": "報告書",
    "revision": "修正案",
    "section": "区分",
    "text": "文章",
    "title": "題名",
    "topic": "話題",
}
_KINDS = {
    "bulk": "一括処理",
    "comparison": "比較",
    "draft": "原稿",
    "final": "公表文",
    "form": "様式",
    "key": "APIキー",
    "person": "担当者",
    "question": "質問",
    "release": "リリース",
    "report": "報告書",
    "revision": "修正案",
    "topic": "話題",
}
_ROLES = {
    "admin": "システム管理者",
    "approver": "承認者",
    "auditor": "監査担当者",
    "developer": "開発担当者",
    "reviewer": "確認者",
    "validator": "検証担当者",
    "writer": "執筆者",
}
_MORE = "管理者に確認してください。"

_PAIRS: tuple[tuple[str, str], ...] = (
    # who may do what
    (r"(.+) cannot act as (.+)", "{0}さんとしてサインインしているため、{1}さんの名前では操作できません。"),
    (r"(.+) may read and change nothing", "{0}さんは閲覧だけができます。執筆者に依頼してください。"),
    (
        r"(.+) has no right to the fund (.+)",
        "{0}さんには「{1}」を扱う権限がありません。管理者に権限の付与を依頼してください。",
    ),
    (r"(.+) may not see this", "{0}さんには閲覧する権限がありません。管理者に権限の付与を依頼してください。"),
    (r"(.+) is a writer or reviewer alone", "{0}さんは執筆者・確認者のため、この画面は使えません。"),
    (r"(.+) is not a (writer|reviewer)", "{0}さんには{word1}の権限がありません。管理者に依頼してください。"),
    (r"(.+) is an auditor and may not (.+)", "{0}さんは監査担当者のため、この操作はできません。"),
    (r"(.+) built (.+) and may not (.+)", "{0}さんは自分が作ったものについて、この操作はできません。"),
    (r"(.+) may not (.+)", "{0}さんにはこの操作の権限がありません。管理者に依頼してください。"),
    (r"(.+) is no longer active", "{0}さんの登録は停止されています。ほかの担当者が操作してください。"),
    (r"(.+) cannot be given drafts", "{0}さんには原稿を割り当てられません。執筆者を選んでください。"),
    # passwords
    (r"the password is too short", "パスワードが短すぎます。10文字以上にしてください。"),
    (r"the password is too long", "パスワードが長すぎます。"),
    (r"the password holds the name", "パスワードに名前が含まれています。別のものにしてください。"),
    # approvals
    (r"the .+ cannot be kept \(.+\)", "記録できない文字や値が含まれています。" + _MORE),
    (r"(.+) answers are none", "回答数の上限は 1 以上にしてください（{0}）。"),
    (r"the (?:approval|exception|delegation) would have ended already", "期限は今日より後にしてください。"),
    (
        r"release (.+) stands in the ledger with another tuner or other figures",
        "リリース{0}は、別の担当者または別の数値で台帳に登録されています。" + _MORE,
    ),
    (
        r"release (.+) is (.+), so there is no approval to take back",
        "リリース{0}は承認されていないため、取り消す承認がありません。",
    ),
    (r"(.+) tuned (.+) and cannot decide on it", "{0}さんは{1}を作った本人のため、承認や却下はできません。"),
    (r"(.+) is not an approver", "{0}さんには承認者の権限がありません。管理者に依頼してください。"),
    (r"(.+) does not hold the role (.+)", "{0}さんは役割「{word1}」を持っていないため、委任できません。"),
    (r"(.+) cannot be lent a role", "{0}さんには役割を委任できません。"),
    (r"the .+ (.+) has ended already", "{0}はすでに終わっています。"),
    (r"the finding says nothing", "指摘の内容を書いてください。"),
    (r"the finding would be overdue already", "指摘の期限は今日より後にしてください。"),
    (r"(.+) is not in the inventory yet", "{0}はまだモデル一覧に登録されていません。" + _MORE),
    # texts and fields
    (r"the text is too long: .+", "文章が長すぎます。短くするか、分けてください。"),
    (r"the (.+) is empty", "{word0}が空です。入力してください。"),
    (
        r"the (.+) has ([\d,]+) characters(?:; (.+) is the most that one draft may have)?",
        "{word0}が長すぎます（{1}字）。",
    ),
    (
        r"the (.+) holds the character U\+(\w+), which cannot be stored",
        "{word0}に保存できない文字（U+{1}）があります。取り除いてください。",
    ),
    (r"the draft's month is (.+)", "対象月は 2026-10 のように入力してください（{0}）。"),
    (r"the month is (.+)", "対象月は 2026-10 のように入力してください（{0}）。"),
    (r"(.+) is no day", "日付は 2026-11-10 のように入力してください（{0}）。"),
    (r"the form is not whole", "入力が揃っていません。ページを読み込み直してください。"),
    # drafts, revisions, finals
    (
        r"the revision was made of another text than draft (\d+)",
        "修正案は別の文章から作られました。もう一度「Ask LLM」を押してください。",
    ),
    (
        r"revision (\d+) was made of draft (\d+), not of draft (\d+)",
        "修正案は別の原稿のものです。原稿を開き直してください。",
    ),
    (r"there is no final (\d+) of this draft", "この原稿にその公表文はありません。原稿を開き直してください。"),
    (r"final (\d+) is of another draft", "その公表文は別の原稿のものです。原稿を開き直してください。"),
    (
        r"the required passage (.+) is missing without a reason",
        "必要な文言「{0}」がありません。文言を入れるか、理由を書いてください。",
    ),
    (
        r"(.+) with the reason (.+) is no decision on a change",
        "変更への判断を記録できませんでした。選び直してください。",
    ),
    (r"a choice is one of at least two revisions", "候補が二つ以上あるときだけ選べます。"),
    (r"the model wrote nothing", "モデルが何も書きませんでした。もう一度お試しください。"),
    # review and handing out
    (r"a returned final and a comment need a note", "差し戻しとコメントには、メモが必要です。"),
    (r"(.+) has (\w+) final (\d+) already", "{0}さんはこの公表文をすでに確認しています。"),
    (r"(.+) wrote on this comment", "{0}さんはこのコメントを書いた一人です。ほかの担当者が確認してください。"),
    (r"final (\d+) was saved after this one", "その後に新しい公表文が保存されました。読み込み直してください。"),
    (
        r"what is saved waits for a second person's approval",
        "保存した公表文は、ほかの担当者の承認を待っています。承認後に出力できます。",
    ),
    (r"nothing is saved yet that could be handed out", "出力できる公表文がまだありません。"),
    # Word templates
    (r"there is no such template", "Wordの雛形が見つかりません。" + _MORE),
    (r"the template cannot be used: (.+)", "Wordの雛形を使えません。" + _MORE),
    (r"the template is no Word file but (.+)", "雛形がWordファイルではありません。" + _MORE),
    (r"the template cannot be read \((.+)\)", "Wordの雛形を読み取れません。" + _MORE),
    (
        r"the template has neither a place nor the style (.+)",
        "Wordの雛形に差し込む場所もスタイル「{0}」もありません。" + _MORE,
    ),
    (r"the template has no place for any text", "Wordの雛形に文章を差し込む場所がありません。" + _MORE),
    (r"the template names places that there are not: (.+)", "Wordの雛形に使えない差し込み名があります（{0}）。"),
    (
        r"head or foot of the template's pages name a fund, and there are several in this file",
        "雛形のヘッダーかフッターにファンド名があり、複数ファンドの出力には使えません。",
    ),
    (r"the template has no place for: (.+)", "Wordの雛形に次の差し込み先がありません：{0}"),
    # reports
    (r"no section is named for (.+)", "「{0}」の区分を選んでください。"),
    (r"no fund is named for (.+)", "「{0}」のファンドを選んでください。"),
    (r"no section has a text", "原稿にする区分がありません。一つ以上の見出しに区分を選んでください。"),
    (r"report (\d+) no longer waits in the inbox: it is (.+)", "この報告書は、すでにほかの人が処理しました。"),
    (r"the file cannot be kept \((.+)\)", "ファイルを保管できません。サーバーの空き容量を確認してください。"),
    # questions, readings, topics
    (r"there is no such answer", "その回答はありません。もう一度質問してください。"),
    (r"there is no such source", "その出典はありません。"),
    (r"(.+) is no verdict", "評価を選び直してください。"),
    (r"(.+) is no vote", "左・右・同等のどれかを選んでください。"),
    (r"(.+) cannot be compared with itself", "同じ候補どうしは比べられません。"),
    (r"(.+) is no kind of topic", "話題の種類を選び直してください。"),
    (r"an example needs both its draft and its final", "例には原稿と公表文の両方が必要です。"),
    (r"there is a topic (.+)", "「{0}」という話題はすでにあります。別の名前にしてください。"),
    (r"whoever proposed a topic cannot decide on it", "提案した本人は決められません。ほかの担当者に依頼してください。"),
    (r"the topic is (\w+) already", "この話題はすでに処理されています。ページを読み込み直してください。"),
    # the ledger and its database
    (r"the ledger has lost the end of its log", "台帳の記録に欠けがあります。すぐに管理者へ知らせてください。"),
    (r"too many are using the ledger at once", "利用が集中しています。少し待ってから、もう一度お試しください。"),
    (r"the disk is full(?: \(.+\))?", "サーバーのディスクが一杯で保存できません。管理者に知らせてください。"),
    (r"another program holds the ledger(?: \(.+\))?", "台帳が使用中です。少し待ってから、もう一度お試しください。"),
    (r"the ledger's file is damaged(?: \(.+\))?", "台帳のファイルが壊れています。すぐに管理者へ知らせてください。"),
    (
        r"reading or writing the ledger's file failed(?: \(.+\))?",
        "台帳を読み書きできません。すぐに管理者へ知らせてください。",
    ),
    (
        r"(?:the ledger (?:cannot|may not) be|this file is not a ledger|there is such a file|a ledger in memory).*",
        "台帳を使えません。管理者に知らせてください。",
    ),
    (
        r"(?:this is no database|no driver for|there is no such database|this account has no right).*",
        "台帳を使えません。管理者に知らせてください。",
    ),
    (
        r"the database (?:server|does not let|cannot be|refused).*",
        "データベースに接続できません。保存済みの内容は残っています。管理者に知らせてください。",
    ),
    # releases that may not answer
    (
        r"release (.+) was approved .+, and that is used up",
        "モデル {0} の承認の期限または回数が終わりました。承認者に依頼してください。",
    ),
    (r"release (.+) may not answer: (.+) is retired in the inventory", "モデル {0} は廃止されています（{1}）。"),
    (
        r"release (.+) was approved for a number of answers and cannot be a part of a sum",
        "モデル {0} は回数を限って承認されたため、組み合わせては使えません。",
    ),
    (
        r"release (.+) was approved for (.+) alone, not for (.+)",
        "モデル {0} は「{1}」だけのために承認されています（「{2}」には使えません）。",
    ),
    (
        r"release (.+) is not in the inventory, and nothing else answers",
        "モデル {0} は台帳に登録されておらず、使えません。" + _MORE,
    ),
    (r"release (.+) is \w+, and only approved ones answer", "モデル {0} は承認されていないため、使えません。" + _MORE),
    (r"there is no earlier release to go back to", "戻せる以前のモデルがありません。"),
    (r"a share of (.+) is none", "割合は 0 から 1 の間にしてください（{0}）。"),
    (r"no release answers yet that this one could challenge", "比べる相手になる現行モデルがまだありません。"),
    (r"release (.+) answers already", "モデル {0} はすでに使われています。"),
    # planning
    (r"there is no method (.+)", "方式を選び直してください（{0}）。"),
    (r"(.+) is an encoder: (.+) is not planned for it", "{0} はエンコーダーのため、この方式では見積もれません。"),
    (r"(.+) is an encoder and writes nothing", "{0} はエンコーダーのため、文章を書きません。"),
    (r"(.+) is an encoder and drafts nothing", "{0} はエンコーダーのため、先読みには使えません。"),
    (
        r"(.+) drafts, and serve\.accepted says that none of its words turns out right",
        "{0} に先読みをさせるなら、当たる割合を 0 より大きくしてください。",
    ),
    (
        r"a job is planned for one machine with (.+), and (.+) were asked for",
        "{0} では 1 台で見積もります。台数の指定（{1}）を外してください。",
    ),
    (
        r"prompt and answer have (\d+) tokens, (.+) takes (\d+)",
        "入力と回答で{0}トークンになり、{1} の上限（{2}）を超えます。どちらかを短くしてください。",
    ),
    (r"no number of GPUs meets the goals", "何枚のGPUでも目標を満たせません。目標を緩めてください。"),
    (r"(.+) cannot be split over (\d+) GPUs", "{0} は{1}枚のGPUに分けられません。"),
    (r"a server with (\d+) accelerators is none", "アクセラレーターの数を入力し直してください（{0}）。"),
    # models
    (r"the prompt's examples do not fit: .+", "手本が長すぎて、モデルに渡せません。" + _MORE),
    (r"the prompt has no pairs to quote", "モデルに渡す手本がありません。" + _MORE),
    (r"(.+) holds no model/", "モデルのファイルが見つかりません。" + _MORE),
    (r"(.+) has the form (.+); known: (.+)", "モデルの形式を読み取れません。" + _MORE),
    (r"this process has a desk already", "デスクはすでに起動しています。"),
    (r"(.+) is no (\w+(?: or \w+)*)", "{0}さんにはこの操作の権限（{word1}）がありません。管理者に依頼してください。"),
    (r"no (\w+) (.+)", "{word0}{1}が見つかりません。選び直してください。"),
)
FAULTS: Sequence[tuple[re.Pattern[str], str]] = [(re.compile(found, re.DOTALL), said) for found, said in _PAIRS]
"""What an error says, whole, and what a Japanese page says; the first that fits counts. A value stands there as it is,
or, named `word`, by its Japanese name."""


def japanese_of(what: str) -> str | None:
    """The Japanese sentence for what an error says, without its place and its advice; None if there is none."""
    for pattern, said in FAULTS:
        if found := pattern.fullmatch(what):
            values = [(value or "").strip("'\"") for value in found.groups()]
            return said.format(*values, **{f"word{n}": _worded(value) for n, value in enumerate(values)})
    return None


def _worded(value: str) -> str:
    """A field, a kind of row or roles by their Japanese names; anything else as it is."""
    parts = [_ROLES.get(part) or _FIELDS.get(part) or _KINDS.get(part) for part in value.split(" or ")]
    return "・".join(part for part in parts if part) if all(parts) else value


def fault_words(error: BaseException, language: Language) -> str:
    """What a page says of an error, in the reader's language; never empty."""
    if language == "en":
        return str(error)
    return kept_words(error.what if isinstance(error, UsageError) else str(error), language)


def kept_words(what: str, language: Language) -> str:
    """The same of an error whose words were kept without its place and advice."""
    if language == "en":
        return what
    if said := japanese_of(what):
        return said
    if re.search(r"[ぁ-んァ-ヶ一-龥]", re.sub(r"'[^']*'", "", what)):
        return what  # said in Japanese by whoever raised it
    log.warning("told a reader to look here: %s", what)
    return UNKNOWN
