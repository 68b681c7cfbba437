"""The little Japanese grammar that the sample desk needs: verb forms from the dictionary form."""

from __future__ import annotations

__all__ = ["past", "polite", "polite_past", "stem", "te"]

_ICHIDAN = {"出る", "見る", "いる", "ている"}
_ONGI = {
    "か": "き",
    "く": "き",
    "ぐ": "ぎ",
    "す": "し",
    "つ": "ち",
    "ぬ": "に",
    "ぶ": "び",
    "む": "み",
    "る": "り",
    "う": "い",
}
_E_I_ROW = set("えけせてねへめれげぜでべいきしちにひみりぎじび")


def _is_ichidan(verb: str) -> bool:
    return verb.endswith("る") and (verb[-2] in _E_I_ROW or any(verb.endswith(v) for v in _ICHIDAN))


def stem(verb: str) -> str:
    """The continuative form: 上昇する -> 上昇し, 広がる -> 広がり, 支える -> 支え."""
    if verb.endswith("する"):
        return verb[:-2] + "し"
    if _is_ichidan(verb):
        return verb[:-1]
    return verb[:-1] + _ONGI[verb[-1]]


def past(verb: str) -> str:
    """The plain past: 上昇する -> 上昇した, 広がる -> 広がった, 続く -> 続いた."""
    te_form = te(verb)
    return te_form[:-1] + ("だ" if te_form.endswith("で") else "た")


def te(verb: str) -> str:
    """The te-form: 上昇する -> 上昇して, 進む -> 進んで."""
    if verb.endswith(("する", "す")) or _is_ichidan(verb):
        return stem(verb) + "て"
    last, body = verb[-1], verb[:-1]
    if last == "く":
        return body + "いて"
    if last == "ぐ":
        return body + "いで"
    if last in "ぬぶむ":
        return body + "んで"
    return body + "って"


def polite(verb: str) -> str:
    """The polite present: 上昇する -> 上昇します."""
    return stem(verb) + "ます"


def polite_past(verb: str) -> str:
    """The polite past: 上昇する -> 上昇しました."""
    return stem(verb) + "ました"
