"""Why a file is not read, and what may be odd about one that is: each has a code, a sentence and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensaku.documents.model import Note
from tensaku.errors import DataError

__all__ = ["NOTES", "REASONS", "Unreadable", "note", "said"]

REASONS: dict[str, tuple[str, str, str]] = {
    "empty": (
        "the file is empty",
        "Ask for it again",
        "ファイルが空です。もう一度送ってもらってください",
    ),
    "too-large": (
        "the file is too large ({detail})",
        "Split it, or send the comment alone",
        "ファイルが大きすぎます（{detail}）。分割するか、コメントの部分だけを読み込んでください",
    ),
    "too-many": (
        "there is too much in it ({detail})",
        "Send the pages that hold the comment",
        "内容が多すぎます（{detail}）。コメントのあるページだけを読み込んでください",
    ),
    "too-long": (
        "reading it took too long ({detail})",
        "Save it again in its program, or send the text alone",
        "読み取りに時間がかかりすぎます。元のソフトで保存し直すか、本文だけを読み込んでください",
    ),
    "too-big-inside": (
        "unpacked it would be far larger than it looks ({detail})",
        "Do not open it; ask who sent it",
        "展開すると見かけより極端に大きくなるファイルです。開かずに、送り主に確認してください",
    ),
    "path-outside": (
        "it names a place outside its own folder ({detail})",
        "Do not unpack it; ask who sent it",
        "自分のフォルダーの外を指す名前が入っています。展開せずに、送り主に確認してください",
    ),
    "entities": (
        "its XML defines entities, which no office program writes ({detail})",
        "Do not open it; ask who sent it",
        "Office ソフトが書くことのない XML の実体宣言があります。開かずに、送り主に確認してください",
    ),
    "encrypted-pdf": (
        "the PDF is protected by a password",
        "Ask for it without one, or save it again without",
        "PDF にパスワードがかかっています。パスワードなしで保存し直してください",
    ),
    "encrypted-office": (
        "the Office file is protected by a password",
        "Open it, save it without one, send it again",
        "Office ファイルにパスワードがかかっています。パスワードなしで保存し直してください",
    ),
    "encrypted-zip": (
        "the zip is protected by a password",
        "Unpack it and bring in the files",
        "zip にパスワードがかかっています。展開してから、中のファイルを読み込んでください",
    ),
    "macros": (
        "the Office file carries macros",
        "Save it as .docx or .xlsx, which have none, and bring in that",
        "マクロが入っています。マクロのない .docx か .xlsx で保存し直してください",
    ),
    "old-office": (
        "this is an Office file of before 2007",
        "Save it as .docx or .xlsx",
        "2007 年より前の形式の Office ファイルです。.docx か .xlsx で保存し直してください",
    ),
    "scanned": (
        "its pages are pictures of paper (scanned), which are not readable yet",
        "Ask for the file it was printed from",
        "紙をスキャンした画像のため、まだ読み取れません。印刷前のファイルをもらってください",
    ),
    "picture": (
        "this is a picture, which is not readable yet",
        "Ask for the file it was made from",
        "画像のため、まだ読み取れません。元のファイルをもらってください",
    ),
    "unknown-kind": (
        "this is no PDF, Word, Excel, HTML or text file ({detail})",
        "Bring in one of those",
        "PDF・Word・Excel・HTML・テキストのいずれでもありません",
    ),
    "damaged": (
        "the file is damaged ({detail})",
        "Save it again in its program, or ask for it again",
        "ファイルが壊れています。元のソフトで保存し直すか、もう一度送ってもらってください",
    ),
    "no-text": (
        "there is no text in it",
        "See whether it is the right file",
        "文字がありません。正しいファイルか確かめてください",
    ),
    "not-text": (
        "its text is in no known encoding ({detail})",
        "Save it as UTF-8",
        "文字コードが分かりません。UTF-8 で保存し直してください",
    ),
    "reader-died": (
        "its reader broke off ({detail})",
        "Save it again in its program, or send the text alone",
        "読み取りが途中で止まりました。元のソフトで保存し直すか、本文だけを読み込んでください",
    ),
}
"""Code -> what is wrong, what to do, and both in Japanese."""

NOTES: dict[str, tuple[str, str, bool]] = {
    "lies": (
        "it is named {detail}",
        "名前は {detail} です",
        False,
    ),
    "vertical": (
        "vertical text on page {detail}",
        "縦書きがあります: {detail}",
        True,
    ),
    "scanned-pages": (
        "scanned pages, not readable yet: {detail}",
        "まだ読み取れないスキャンのページがあります: {detail}",
        True,
    ),
    "ocr-layer": (
        "text under the picture of a scanned page, as a machine guessed it: page {detail}",
        "スキャン画像の下に機械が読み取った文字があります: {detail} ページ",
        True,
    ),
    "hidden": (
        "text that is not shown was left out: {detail}",
        "画面に見えない文字を除きました: {detail}",
        True,
    ),
    "misleading": (
        "characters that change how text looks were taken out: {detail}",
        "見え方を変える文字を除きました: {detail}",
        True,
    ),
    "invisible": (
        "characters without a width were taken out: {detail}",
        "幅のない文字を除きました: {detail}",
        False,
    ),
    "unmapped": (
        "characters of a font that does not say which they are: {detail}",
        "どの文字か分からないフォントの文字があります: {detail}",
        True,
    ),
    "tracked": (
        "tracked changes were read as accepted: {detail}",
        "変更履歴は承認したものとして読みました: {detail}",
        True,
    ),
    "text-boxes": (
        "text in shapes was read after the cells: {detail}",
        "図形の中の文字は、表の後に読みました: {detail}",
        True,
    ),
    "no-value": (
        "formulas without a saved value: {detail}",
        "計算結果が保存されていない式があります: {detail}",
        True,
    ),
    "footnotes": (
        "footnotes were left out: {detail}",
        "脚注を除きました: {detail}",
        False,
    ),
}
"""Code -> what a reader is told in English and in Japanese, and whether a person must look."""


class Unreadable(DataError):
    """A file that is not read. `reason` is a key of `REASONS`."""

    def __init__(self, reason: str, file: str | Path, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        what, fix, _ = REASONS[reason]
        super().__init__(what.format(detail=detail), file=file, fix=fix)

    def values(self) -> dict[str, Any]:
        """What the reading process hands to its parent."""
        return {"reason": self.reason, "detail": self.detail}


def note(code: str, detail: object) -> Note:
    """A note by its code."""
    return Note(code, str(detail), NOTES[code][2])


def said(code: str, detail: str, language: str = "en") -> str:
    """A reason or a note in words."""
    if code in NOTES:
        english, japanese, _ = NOTES[code]
        return (japanese if language == "ja" else english).format(detail=detail)
    what, fix, japanese = REASONS[code]
    return japanese.format(detail=detail) if language == "ja" else f"{what.format(detail=detail)}. {fix}"
