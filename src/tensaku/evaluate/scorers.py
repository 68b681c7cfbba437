"""The scorers that come with Tensaku: BLEU and chrF as sacreBLEU computes them, and the share of exact matches."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

import numpy as np

from tensaku.errors import MissingExtra
from tensaku.evaluate.scoring import Floats, Scorer, Texts
from tensaku.plugins import scorers

__all__ = ["bleu", "chrf", "exact"]


class _Sacre:
    """Takes the counts of each output out of a sacreBLEU metric. Their figure is checked against its own."""

    def __init__(self, metric: Any) -> None:
        self.metric = metric

    def statistics(self, texts: Texts) -> Floats:
        outputs, references = list(texts.outputs), [list(texts.references)]
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

    def figure(self, sums: Floats) -> Floats:
        length, wanted = sums[..., 0], sums[..., 1]
        matches, totals = sums[..., 2:6], sums[..., 6:10]
        missed = (matches == 0) & (totals > 0)
        smoothing = 2.0 ** np.cumsum(missed, axis=-1)  # the exponential smoothing of mteval
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(missed, 100 / (smoothing * totals), 100 * matches / totals)
            logs = np.where(totals > 0, np.log(precision), -np.inf).mean(axis=-1)
            brevity = np.where(length < wanted, np.exp(1 - wanted / length), 1.0)
        return np.asarray(np.where(matches.any(axis=-1) & (length > 0), brevity * np.exp(logs), 0.0))


class _ChrF(_Sacre):
    """Sums, for each order: n-grams in the output, in the reference, in both."""

    def figure(self, sums: Floats) -> Floats:
        made, wanted, both = (sums[..., start::3] for start in range(3))
        factor = self.metric.beta**2
        usable = (made > 0) & (wanted > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(usable, both / made, 0.0)
            recall = np.where(usable, both / wanted, 0.0)
            orders = np.maximum(usable.sum(axis=-1), 1)
            precision, recall = precision.sum(axis=-1) / orders, recall.sum(axis=-1) / orders
            whole = factor * precision + recall
            return np.asarray(np.where(whole > 0, 100 * (1 + factor) * precision * recall / whole, 0.0))


class _Exact:
    def statistics(self, texts: Texts) -> Floats:
        same = [output == reference for output, reference in zip(texts.outputs, texts.references, strict=True)]
        return np.array([[float(equal), 1.0] for equal in same])

    def figure(self, sums: Floats) -> Floats:
        return np.asarray(100 * sums[..., 0] / sums[..., 1])

    def signature(self) -> str:
        return "equal to the reference, character by character"


@scorers.register("bleu")
def bleu(*, tokenize: Literal["ja-mecab", "char", "13a", "intl", "none"] = "ja-mecab") -> Scorer:
    """Corpus BLEU, 0 to 100, of sacreBLEU.

    Args:
        tokenize: how a text is cut: Japanese words, single characters, or a Western tokeniser.

    Raises:
        MissingExtra: sacreBLEU or its Japanese dictionary is not installed.
    """
    return _Bleu(_metrics().BLEU(tokenize=tokenize))


@scorers.register("chrf")
def chrf(*, word_order: int = 0) -> Scorer:
    """chrF, 0 to 100, of sacreBLEU: character n-grams up to 6; with `word_order` 2 it is chrF++.

    Raises:
        MissingExtra: sacreBLEU is not installed.
    """
    return _ChrF(_metrics().CHRF(word_order=word_order))


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
