"""The scorers that come with Tensaku: BLEU, chrF and TER as sacreBLEU computes them, and the share of exact matches.

A figure made of wrongly cut words is worse than none: a scorer that cuts Western words refuses Japanese references, and
the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Literal

import numpy as np

from tensaku import text
from tensaku.errors import MissingExtra, UsageError
from tensaku.evaluate.edits import find_edits
from tensaku.evaluate.scoring import Scorer, Texts
from tensaku.plugins import scorers
from tensaku.resampling import Floats

__all__ = ["bleu", "check_language", "chrf", "edits", "exact", "language_of_texts", "strokes", "ter"]

Cut = Literal["words", "ja-mecab", "char", "13a", "intl", "none"]

_ALPHABET = {"ja": re.compile("[\u3041-\u30ff\u3400-\u9fff]"), "en": re.compile("[A-Za-z]")}
_FITS = {"ja-mecab": "ja", "13a": "en", "intl": "en", "none": "en", "word n-grams": "en"}
"""The language whose words a way of cutting finds; whole characters fit all."""
_WORDS = {"ja": "ja-mecab", "en": "13a"}
_NAMES = {"ja": "Japanese", "en": "English"}


def language_of_texts(texts: Sequence[str]) -> str:
    """`ja` if kana and kanji outnumber Latin letters in `texts`, or if there are neither; else `en`."""
    ja, en = (sum(len(_ALPHABET[lang].findall(held)) for held in texts) for lang in ("ja", "en"))
    return "en" if en > ja else "ja"


def check_language(cut: str, language: str, where: str) -> None:
    """Refuse a way of cutting words that does not fit the language.

    Raises:
        UsageError: Japanese would be cut at white space, or English by a Japanese dictionary.
    """
    fits = _FITS.get(cut, language)
    if fits != language:
        what = f"{cut} finds {_NAMES[fits]} words, and the texts are {_NAMES[language]}: the figure would mean nothing"
        fix = "Take word_order away" if cut == "word n-grams" else f'Set tokenize = "{_WORDS[language]}" or "char"'
        raise UsageError(what, where=where, fix=fix)


class _Sacre:
    """Takes the counts of each output out of a sacreBLEU metric. Their figure is checked against its own.

    `cut` says how words are found; `words` is settled by the language of the first references seen.
    """

    lower_is_better = False
    name = ""

    def __init__(self, cut: str) -> None:
        self.cut = cut
        self._metric: Any = None

    @property
    def metric(self) -> Any:
        """sacreBLEU's metric."""
        assert self._metric is not None, "nothing has been measured yet"
        return self._metric

    def open(self, cut: str) -> Any:
        """The metric for words found by `cut`."""
        raise NotImplementedError

    def check(self, language: str) -> None:
        """Refuse a language that this scorer cannot cut into words."""
        if self.cut != "words":
            check_language(self.cut, language, f"scorer {self.name}")

    def prepared(self, texts: Sequence[str]) -> list[str]:
        """The texts as sacreBLEU's metric is given them."""
        return list(texts)

    def statistics(self, texts: Texts) -> Floats:
        language = language_of_texts(texts.references)
        self.check(language)
        if self._metric is None:
            self._metric = self.open(_WORDS[language] if self.cut == "words" else self.cut)
        outputs, references = self.prepared(texts.outputs), [self.prepared(texts.references)]
        counts = np.array(self.metric._extract_corpus_statistics(outputs, references), dtype=np.float64)
        ours, theirs = float(self.figure(counts.sum(axis=0))), self.metric.corpus_score(outputs, references).score
        if abs(ours - theirs) > 1e-6:  # its inner layout is not promised to us: never report a figure it would not
            raise RuntimeError(f"sacreBLEU says {theirs}, its counts give {ours}: this version of it is not supported")
        return counts

    def figure(self, sums: Floats) -> Floats:
        raise NotImplementedError

    def signature(self) -> str:
        return str(self.metric.get_signature())


class _Bleu(_Sacre):
    """Sums: output length, reference length, matches of 1 to 4 words, words in 1 to 4."""

    name = "bleu"

    def __init__(self, cut: str, smooth: str = "exp", value: float | None = None, effective: bool = False) -> None:
        super().__init__(cut)
        self._smooth, self._effective = smooth, effective
        self._value = {"floor": 0.1, "add-k": 1.0}.get(smooth, 0.0) if value is None else value
        self._given = value

    def open(self, cut: str) -> Any:
        return _metrics().BLEU(
            tokenize=cut, smooth_method=self._smooth, smooth_value=self._given, effective_order=self._effective
        )

    def figure(self, sums: Floats) -> Floats:
        length, wanted = sums[..., 0], sums[..., 1]
        raw, totals = sums[..., 2:6], sums[..., 6:10]
        matches, totals = (held + self._added for held in (raw, totals))
        there = np.logical_and.accumulate(totals > 0, axis=-1)  # longer runs than the output has words say nothing
        missed = (matches == 0) & there
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(missed, self._instead(missed) / totals, matches / totals)
            logs = np.where(there, np.log(100 * precision), 0.0 if self._effective else -np.inf).sum(axis=-1)
            logs = logs / (np.maximum(there.sum(axis=-1), 1) if self._effective else 4)
            brevity = np.where(length < wanted, np.exp(1 - wanted / length), 1.0)
        return np.asarray(np.where(raw.any(axis=-1) & (length > 0), brevity * np.exp(logs), 0.0))

    @property
    def _added(self) -> Floats:
        """What is added to matches and words of each order."""
        return np.array([0.0, 1.0, 1.0, 1.0]) * (self._value if self._smooth == "add-k" else 0.0)

    def _instead(self, missed: Floats) -> Any:
        """What counts as matches where there are none."""
        if self._smooth == "exp":  # that of mteval
            return 1 / 2.0 ** np.cumsum(missed, axis=-1)
        return self._value if self._smooth == "floor" else 0.0


_EPS = 1e-16


class _ChrF(_Sacre):
    """Sums, for each order: n-grams in the output, in the reference, in both."""

    name = "chrf"

    def __init__(self, word_order: int, beta: int, whitespace: bool, smooth: str) -> None:
        super().__init__("word n-grams" if word_order else "char")
        self._orders = {"word_order": word_order, "beta": beta, "whitespace": whitespace}
        self._beta, self._every_order = beta, smooth == "eps"

    def open(self, cut: str) -> Any:
        return _metrics().CHRF(**self._orders, eps_smoothing=self._every_order)

    def signature(self) -> str:
        """sacreBLEU's own, which does not tell beta: it follows where it is not the usual 2."""
        return super().signature() + (f"|beta:{self._beta}" if self._beta != 2 else "")

    def figure(self, sums: Floats) -> Floats:
        made, wanted, both = (sums[..., start::3] for start in range(3))
        factor = self._beta**2
        usable = (made > 0) & (wanted > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self._every_order:  # chrF++.py: F of each order, an order that is not there counting as (nearly) 0
                precision = np.where(made > 0, both / made, _EPS)
                recall = np.where(wanted > 0, both / wanted, _EPS)
                each = (1 + factor) * precision * recall / (factor * precision + recall)
                return np.asarray(100 * np.where(np.isfinite(each), each, _EPS).mean(axis=-1))
            precision = np.where(usable, both / made, 0.0)
            recall = np.where(usable, both / wanted, 0.0)
            orders = np.maximum(usable.sum(axis=-1), 1)
            precision, recall = precision.sum(axis=-1) / orders, recall.sum(axis=-1) / orders
            whole = factor * precision + recall
            return np.asarray(np.where(whole > 0, 100 * (1 + factor) * precision * recall / whole, 0.0))


class _Ter(_Sacre):
    """Sums: edits (words put in, taken out, replaced; runs of words moved), words of the reference.

    sacreBLEU's TER finds words at white space, so its own tokenisers of BLEU set the words apart first.
    """

    lower_is_better = True
    name = "ter"

    def open(self, cut: str) -> Any:
        module, kind = _TOKENIZERS[cut]
        self._words = getattr(import_module(f"sacrebleu.tokenizers.{module}"), kind)()
        return _metrics().TER(case_sensitive=True)

    def prepared(self, texts: Sequence[str]) -> list[str]:
        return [self._words(held.strip()) for held in texts]

    def figure(self, sums: Floats) -> Floats:
        edits, wanted = sums[..., 0], sums[..., 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(wanted > 0, 100 * edits / wanted, np.where(edits > 0, 100.0, 0.0)))

    def signature(self) -> str:
        return f"{super().signature()}|words:{self._words.signature()}"


_TOKENIZERS = {
    "ja-mecab": ("tokenizer_ja_mecab", "TokenizerJaMecab"),
    "char": ("tokenizer_char", "TokenizerChar"),
    "13a": ("tokenizer_13a", "Tokenizer13a"),
    "intl": ("tokenizer_intl", "TokenizerV14International"),
    "none": ("tokenizer_none", "NoneTokenizer"),
}


class _Exact:
    def statistics(self, texts: Texts) -> Floats:
        same = [output == reference for output, reference in zip(texts.outputs, texts.references, strict=True)]
        return np.array([[float(equal), 1.0] for equal in same])

    def figure(self, sums: Floats) -> Floats:
        return np.asarray(100 * sums[..., 0] / sums[..., 1])

    def signature(self) -> str:
        return "equal to the reference, character by character"


class _Edits:
    """Sums: places right, wrong, missed, needless."""

    def statistics(self, texts: Texts) -> Floats:
        counts = [
            find_edits(*three).counts for three in zip(texts.drafts, texts.references, texts.outputs, strict=True)
        ]
        return np.array([[c.right, c.wrong, c.missed, c.needless] for c in counts], dtype=np.float64).reshape(-1, 4)

    def figure(self, sums: Floats) -> Floats:
        right, wrong, missed, needless = (sums[..., place] for place in range(4))
        made, wanted = right + wrong + needless, right + wrong + missed
        with np.errstate(divide="ignore", invalid="ignore"):
            precision, recall = np.where(made > 0, right / made, 1.0), np.where(wanted > 0, right / wanted, 1.0)
            whole = 0.25 * precision + recall
            return np.asarray(np.where(whole > 0, 125 * precision * recall / whole, 0.0))

    def signature(self) -> str:
        return "F0.5 of changed places right|words:sudachi-A|beta:0.5|tensaku-edits:2"


class _Strokes:
    """Sums: strokes, outputs."""

    lower_is_better = True

    def statistics(self, texts: Texts) -> Floats:
        both = zip(texts.outputs, texts.references, strict=True)
        return np.array([[float(text.strokes(output, reference)), 1.0] for output, reference in both])

    def figure(self, sums: Floats) -> Floats:
        return np.asarray(sums[..., 0] / sums[..., 1])

    def signature(self) -> str:
        return "key strokes from the output to the reference, mean of an output|tensaku-strokes:1"


@scorers.register("edits")
def edits() -> Scorer:
    """F0.5, 0 to 100, of the needed changes made: draft, output and reference aligned by word (`evaluate.edits`)."""
    return _Edits()


@scorers.register("strokes")
def strokes() -> Scorer:
    """Key strokes that a writer needs to make an output the reference, mean of an output. Lower is better."""
    return _Strokes()


@scorers.register("bleu")
def bleu(
    *,
    tokenize: Cut = "words",
    smooth: Literal["exp", "floor", "add-k", "none"] = "exp",
    smooth_value: float | None = None,
    effective_order: bool = False,
) -> Scorer:
    """Corpus BLEU, 0 to 100, of sacreBLEU.

    Args:
        tokenize: how a text is cut: `words` are those of its language (ja-mecab for Japanese, 13a for English), `char`
            single characters, the others sacreBLEU's tokenisers of that name.
        smooth: what counts where no run of so many words matches, as sacreBLEU's `smooth_method`.
        smooth_value: its value for `floor` (0.1) and `add-k` (1).
        effective_order: whether outputs of fewer than four words are measured by the runs that they have.

    Raises:
        MissingExtra: sacreBLEU or its Japanese dictionary is not installed.
    """
    _metrics()
    return _Bleu(tokenize, smooth, smooth_value, effective_order)


@scorers.register("chrf")
def chrf(
    *, word_order: int = 0, beta: int = 2, whitespace: bool = False, smooth: Literal["effective", "eps"] = "effective"
) -> Scorer:
    """chrF, 0 to 100, of sacreBLEU: character n-grams up to 6; with `word_order` 2 it is chrF++, for English alone.

    Args:
        word_order: the longest run of words that counts beside characters.
        beta: how many times as much recall counts as precision.
        whitespace: whether white space counts as characters.
        smooth: what runs longer than a text do: `effective` leaves their order out, `eps` counts it as 0, as chrF++.py
            and Moses do.

    Raises:
        UsageError: beta or word_order is no number from 1 (0) up.
        MissingExtra: sacreBLEU is not installed.
    """
    if beta < 1 or word_order < 0:
        raise UsageError(f"beta is {beta}, word_order {word_order}", where="scorer chrf", fix="Set beta to 1 or more")
    _metrics()
    return _ChrF(word_order, beta, whitespace, smooth)


@scorers.register("ter")
def ter(*, tokenize: Cut = "words") -> Scorer:
    """Translation edit rate, from 0 up, of sacreBLEU: edits for each hundred words of the reference. Lower is better.

    Far outputs cost time: a text of 500 words that shares nothing with its reference takes seconds.

    Args:
        tokenize: as for `bleu`.

    Raises:
        MissingExtra: sacreBLEU or its Japanese dictionary is not installed.
    """
    _metrics()
    return _Ter(tokenize)


@scorers.register("exact")
def exact() -> Scorer:
    """Outputs that equal the reference to the last character, in percent."""
    return _Exact()


def _metrics() -> Any:
    try:
        import_module("ipadic")  # without it sacreBLEU raises a RuntimeError of its own, and only when it cuts words
        return import_module("sacrebleu.metrics")
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "sacrebleu", "evaluate") from error
