"""JSQuAD as a collection and questions, and the peers that it is compared with in the same run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensaku.retrieve.similar import Index, terms

__all__ = ["Course", "Hiding", "bigram_bm25", "lay_out", "measured", "paths_of", "read"]


@dataclass(frozen=True)
class Course:
    """`passages` (title, text), and of each question its text, its passage and its article."""

    passages: list[tuple[str, str]]
    questions: list[str]
    gold: list[int]
    articles: list[int]


def read(path: Path, every: int = 1) -> Course:
    """All paragraphs, and every so many-th question."""
    told = json.loads(path.read_text(encoding="utf-8"))["data"]
    course = Course([], [], [], [])
    for number, article in enumerate(told):
        for paragraph in article["paragraphs"]:
            title, text = paragraph["context"].split(" [SEP] ", 1)
            for qa in paragraph["qas"]:
                course.questions.append(qa["question"])
                course.gold.append(len(course.passages))
                course.articles.append(number)
            course.passages.append((title, text))
    kept = slice(None, None, every)
    return Course(course.passages, course.questions[kept], course.gold[kept], course.articles[kept])


def lay_out(course: Course, folder: Path) -> None:
    """One Markdown file a paragraph, its article's title as heading; file names are the paragraph's number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (title, text) in enumerate(course.passages):
        (folder / f"p{number:05d}.md").write_text(f"# {title}\n\n{text}\n", encoding="utf-8")


def paths_of(course: Course) -> list[str]:
    """The paths of the paragraphs in an index whose source is called jsquad."""
    return [f"jsquad/p{number:05d}.md" for number in range(len(course.passages))]


class Hiding:
    """Who may see what: everybody everything but one paragraph."""

    def __init__(self, every: frozenset[str]) -> None:
        self.every, self.path = every, ""

    def __call__(self, person: str) -> frozenset[str]:
        """The paths that may be seen."""
        return self.every - {self.path}


def bigram_bm25(course: Course) -> Callable[[str], list[int]]:
    """BM25 over pairs of characters, k1 = 1.2, b = 0.75, of title and text; the numbers of all passages in order."""
    index = Index(terms(f"{title} {text}") for title, text in course.passages)
    return lambda question: index.ranked(terms(question))


def measured(orders: Sequence[Sequence[int]], gold: Sequence[int]) -> dict[str, float]:
    """Recall at 1 and 5 in percent, and the mean reciprocal rank (0 beyond what an order holds)."""
    ranks = [order.index(want) + 1 if want in order else 0 for order, want in zip(orders, gold, strict=True)]
    at = np.asarray(ranks, float)
    found = at > 0
    return {
        "recall1": round(float((at == 1).mean() * 100), 2),
        "recall5": round(float((found & (at <= 5)).mean() * 100), 2),
        "mrr": round(float(np.where(found, 1 / np.maximum(at, 1), 0).mean()), 4),
    }
