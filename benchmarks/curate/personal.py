"""Precision and recall of the personal data found, by kind, on three labelled sets.

    python -m benchmarks.curate.personal [--data FOLDER] [--presidio]

FOLDER holds `noren_pii` and `presidio_pii` where they are at hand; our own sentences are always measured. `--presidio`
measures Presidio with GiNZA instead of our recognisers, in whatever Python has them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.curate.personal_set import Labelled, sentences

Spans = list[tuple[str, int, int]]
_NOREN = {"email": "email", "credit_card": "card"}
_PRESIDIO = {
    "PERSON": "person",
    "ADDRESS": "address",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "ORGANIZATION": "company",
    "EMAIL_ADDRESS": "email",
    "LOCATION": "address",
}


class Measured(NamedTuple):
    """Of one kind: labelled data found, all labelled, findings that are right, all findings."""

    hit: int
    labelled: int
    right: int
    found: int

    @property
    def precision(self) -> float:
        """Right findings of all findings, 0 to 1."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Labelled data found of all labelled, 0 to 1."""
        return self.hit / self.labelled if self.labelled else 0.0


def measure(cases: Iterable[Labelled], find: Callable[[str], Spans]) -> dict[str, Measured]:
    """By kind. A finding is right if it is of the same kind as a label and shares half of the shorter of the two."""
    count: dict[str, Counter[str]] = {}
    kinds: set[str] = set()
    for case in cases:
        found = find(case.text)
        kinds |= {kind for kind, *_ in case.labels}
        for kind, start, end in case.labels:
            tally = count.setdefault(kind, Counter())
            tally["labelled"] += 1
            tally["hit"] += any(_meets((kind, start, end), other) for other in found)
        for span in found:
            tally = count.setdefault(span[0], Counter())
            tally["found"] += 1
            tally["right"] += any(_meets(span, label) for label in case.labels)
    fields = Measured._fields
    return {kind: Measured(*(count[kind][name] for name in fields)) for kind in sorted(kinds)}


def _meets(one: tuple[str, int, int], two: tuple[str, int, int]) -> bool:
    shared = min(one[2], two[2]) - max(one[1], two[1])
    return one[0] == two[0] and 2 * shared >= min(one[2] - one[1], two[2] - two[1])


def noren(folder: Path) -> list[Labelled]:
    """The mail addresses and cards of noren's ground truth."""
    cases = []
    for name in ("core-email.json", "core-credit-card.json"):
        for entry in json.loads((folder / "noren_pii" / "ground-truth" / name).read_text(encoding="utf-8")):
            labels = [(_NOREN[a["type"]], a["start"], a["end"]) for a in entry["annotations"]]
            cases.append(Labelled(entry["text"], labels))
    return cases


def presidio(folder: Path) -> list[Labelled]:
    """Presidio's small generated set, the kinds that we name too."""
    entries = json.loads((folder / "presidio_pii" / "generated_small.json").read_text(encoding="utf-8"))
    return [
        Labelled(
            entry["full_text"],
            [
                (_PRESIDIO[s["entity_type"]], s["start_position"], s["end_position"])
                for s in entry["spans"]
                if s["entity_type"] in _PRESIDIO and s["entity_type"] != "LOCATION"
            ],
        )
        for entry in entries
    ]


def _ours() -> Callable[[str], Spans]:
    from tensaku.curate.personal import KINDS, find

    return lambda text: [(f.kind, f.start, f.end) for f in find(text, KINDS)]


def _theirs(language: str) -> Callable[[str], Spans]:
    """Presidio as it comes, with GiNZA's pipeline for Japanese names."""
    presidio_analyzer: Any = import_module("presidio_analyzer")  # in an environment of its own
    provider: Any = import_module("presidio_analyzer.nlp_engine").NlpEngineProvider
    models = [{"lang_code": "ja", "model_name": "ja_ginza"}, {"lang_code": "en", "model_name": "ja_ginza"}]
    engine = provider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    registry = presidio_analyzer.RecognizerRegistry(supported_languages=["ja", "en"])
    registry.load_predefined_recognizers(languages=["ja", "en"], nlp_engine=engine)
    analyzer = presidio_analyzer.AnalyzerEngine(nlp_engine=engine, registry=registry, supported_languages=["ja", "en"])

    def found(text: str) -> Spans:
        spans = analyzer.analyze(text=text, language=language)
        return [(_PRESIDIO[s.entity_type], s.start, s.end) for s in spans if s.entity_type in _PRESIDIO]

    return found


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path)
    options.add_argument("--presidio", action="store_true")
    given = options.parse_args()
    sets: dict[str, tuple[str, list[Labelled]]] = {
        "ours, looked at": ("ja", sentences(0)),
        "ours, kept for testing": ("ja", sentences(1)),
    }
    if given.data:
        sets |= {"noren": ("en", noren(given.data)), "presidio": ("en", presidio(given.data))}
    print("set                      kind              precision  recall  labelled")
    for name, (language, cases) in sets.items():
        start = time.perf_counter()
        find = _theirs(language) if given.presidio else _ours()
        find("山田太郎")
        loaded = time.perf_counter()
        for kind, row in measure(cases, find).items():
            print(f"{name:24} {kind:17} {row.precision:9.3f} {row.recall:7.3f} {row.labelled:9}")
        print(f"{name:24} {len(cases)} texts, {time.perf_counter() - loaded:.2f} s, loaded in {loaded - start:.2f} s")


if __name__ == "__main__":
    main()
