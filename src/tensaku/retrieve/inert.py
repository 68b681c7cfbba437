"""Text of documents as data: what could steer a model, or a reader's eye, is taken out before it is quoted.

This is the second fence. The first is that an answer consists of sentences that stand in documents, or that their words
bear out, so that a document can say what it likes and nothing is done.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["cleaned", "commands"]

_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f\x00-\x08\x0b\x0c\x0e-\x1f]")
_MARKS = re.compile(
    r"<\|[^|>]{0,40}\|>|</?(?:start_of_turn|end_of_turn|bos|eos|s|system|assistant|user|tool_call|INST)>|\[/?INST\]|<<?/?SYS>>?",
    re.IGNORECASE,
)
_LINKS = re.compile(r"!?\[([^\]]*)\]\(\s*(?:https?:|data:|javascript:|//)[^)]*\)", re.IGNORECASE)
_COMMANDS = re.compile(
    r"(指示|命令|プロンプト|ルール|設定|制約|方針).{0,12}(無視|忘れ|破棄|上書き|従わ)"
    r"|(無視|忘れ)(して|し|た上で|て)[、,]?.{0,20}(答え|回答|出力|返)"
    r"|(システム|初期|開発者)(の)?プロンプト"
    r"|(あなた|お前|きみ|AI|ＡＩ|アシスタント|モデル)は.{0,24}(です|だ|なりきり|として).{0,16}(振る舞|従|答え|回答|行動)"
    r"|と(だけ)?(答え|回答し|出力し|返答し|返し)(よ|ろ|なさい|てください|て下さい|なければ)"
    r"|(パスワード|秘密|機密|鍵|他の(文書|資料)).{0,16}(教え|開示|出力|表示|送信|書き出)"
    r"|(ignore|disregard|forget|override)\W+(\w+\W+){0,4}(instruction|prompt|rule|above|previous|context)"
    r"|system\s*prompt|you are (now )?(an?|the) \w+|act as|developer mode|jailbreak"
    r"|(respond|reply|answer|say|output|print)\W+(only|with|exactly|the (word|phrase))"
    r"|(send|post|upload|exfiltrate|reveal|leak)\W+.{0,40}(password|secret|key|data|conversation|to http)"
    r"|^\s*(system|assistant|user|human|ai|システム|アシスタント)\s*[:：]",
    re.IGNORECASE,
)


def cleaned(text: str) -> str:
    """`text` without characters that are not seen, marks of a model's turns, and addresses of links."""
    return _LINKS.sub(r"\1", _MARKS.sub(" ", _UNSEEN.sub("", text)))


def commands(sentence: str) -> bool:
    """Whether a sentence speaks to a model instead of a reader. Such a sentence is neither quoted nor shown to one."""
    return bool(_COMMANDS.search(unicodedata.normalize("NFKC", cleaned(sentence))))
