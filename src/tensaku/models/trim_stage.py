"""The stage `trim`: a smaller base from a base, with the words that the language and the house's texts need.

Facts: those of a base (`base.py`), and `vocabulary_before`, `untrimmed_sha256`.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tensaku.config import Section
from tensaku.errors import DataError, UsageError
from tensaku.models.block_files import is_blocks, trim_blocks
from tensaku.models.folder import describe, write_json
from tensaku.records import Message
from tensaku.store import Artifact, Bench, SourceFile, stage

__all__ = ["Trim", "check_trim", "trim"]

_OF_THE_WHOLE = ("tokenizer.json", "config.json", "tokenizer.model", "added_tokens.json", "vocab.json")
"""What speaks of the whole vocabulary and is written anew for a trimmed one, or left out."""


class Trim(Section):
    """How much of the base model's vocabulary to keep."""

    keep: Literal["all", "ja", "en", "ja+en"] = "ja"
    """`ja`, `en`, `ja+en`: what the language and the desk's own text need, and every character; `all`: everything."""


def check_trim(model: str, cfg: Trim, folder: Path) -> None:
    """Refuse, before any work, to cut what cannot be cut, where that is cheap to know: for `path:` models.

    Args:
        model: the base as the task file names it; a relative name starts at `folder`.
        cfg: what is asked for.
        folder: where the task file is.

    Raises:
        UsageError: the model's tokenizer is of a kind whose vocabulary cannot be cut.
    """
    from tensaku.models.trim_keep import read_tokenizer

    kind, _, name = model.partition(":")
    path = folder / Path(name).expanduser() / "tokenizer.json"
    if cfg.keep != "all" and kind == "path" and path.is_file():
        read_tokenizer(path)


@stage(version=2)
def trim(
    bench: Bench,
    cfg: Trim,
    *,
    base: Artifact,
    lessons: Artifact,
    instruction: SourceFile,
    documents: Artifact | None = None,
) -> None:
    """Leave the base model with the words that the language, lessons, instruction and house documents need.

    Raises:
        UsageError: everything is to be kept, or the tokenizer is of a kind whose vocabulary cannot be cut.
    """
    from safetensors.torch import save_file

    from tensaku.models.trim import ids_in, renumbered, trim_tensors, trim_tokenizer
    from tensaku.models.trim_keep import keep_list, read_tokenizer
    from tensaku.models.weights import load_tensors

    if cfg.keep == "all":
        raise UsageError("there is nothing to trim", where="trim.keep", fix="Work with the base model itself")
    with bench.progress("vocabulary"):
        tokenizer = read_tokenizer(base.path / "tokenizer.json")
        settings = {n: _json(base, n) for n in ("config.json", "generation_config.json") if n in base.files}
        rows = settings["config.json"]["vocab_size"]
        texts = itertools.chain(
            [instruction.path.read_text(encoding="utf-8")], _lessons(lessons), _documents(documents)
        )
        also = set().union(_turns(base.path), *map(ids_in, settings.values()))
        keep = keep_list(tokenizer, cfg.keep, texts, also=also, rows=rows)
        write_json(bench.path / "tokenizer.json", trim_tokenizer(tokenizer, keep), indent=None)
        tensors = trim_tensors(load_tensors(base.path), keep, rows)
        save_file(tensors, bench.path / "model.safetensors", metadata={"format": "pt"})
        trim_blocks(base.path, bench.path, keep, rows)
        new_of = {old: new for new, old in enumerate(keep)}
        settings["config.json"]["vocab_size"] = len(keep)
        for name, content in settings.items():
            write_json(bench.path / name, renumbered(content, new_of))
        _take_over(base, bench.path)
    bench.facts.update({k: base.facts[k] for k in ("licence", "source")})
    bench.facts.update({"vocabulary_before": rows, "untrimmed_sha256": base.facts["sha256"]})
    bench.facts.update(describe(bench.path, base.facts["source"]))


def _take_over(base: Artifact, folder: Path) -> None:
    """Copy what does not depend on the vocabulary."""
    for name in base.files:
        if name == "tokenizer_config.json":
            settings = _json(base, name)
            settings.pop("added_tokens_decoder", None)  # by id as it was; tokenizer.json says the same
            write_json(folder / name, settings)
        elif name not in (*_OF_THE_WHOLE, "generation_config.json") and not _is_made_anew(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base.path / name, folder / name)


def _is_made_anew(name: str) -> bool:
    return name.endswith((".safetensors", ".index.json")) or is_blocks(name)


def _json(base: Artifact, name: str) -> dict[str, Any]:
    return dict(json.loads(base.file(name).read_text(encoding="utf-8")))


def _turns(folder: Path) -> set[int]:
    """The ids with which the chat template surrounds what is said, by whoever may say it."""
    from tensaku.models.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(folder)
    system, user, assistant = (Message(role, "。") for role in ("system", "user", "assistant"))
    found: set[int] = set()
    for turns in ([user], [system, user], [user, assistant, user]):
        try:
            found.update(tokenizer.chat(turns))
        except UsageError:  # a template may refuse a system turn
            continue
    return found


def _lessons(lessons: Artifact) -> Iterator[str]:
    with lessons.file("lessons.jsonl").open(encoding="utf-8") as file:  # a line may hold U+2028
        for line in file:
            row = json.loads(line)
            yield from (row["draft"], row["final"], row["fund"], row["manager"])


def _documents(documents: Artifact | None) -> Iterator[str]:
    if documents is None:
        return
    path = documents.file("documents.jsonl")
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield str(json.loads(line)["text"])
            except (ValueError, KeyError, TypeError):
                what = 'this line is no document: {"text": ...} is expected'
                raise DataError(what, file=path, line=number, fix="Make the documents again") from None
