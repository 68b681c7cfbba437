"""The commands `index`, `search` and `barriers`, and the way from a workspace to its index of documents."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tensaku.errors import UsageError
from tensaku.options import HERE, Folder, Json, acting, artifact_of, seen_store

if TYPE_CHECKING:
    from tensaku.engines import Engine
    from tensaku.ledger import Ledger
    from tensaku.pipeline import Workspace
    from tensaku.records import Message
    from tensaku.retrieve.answer import Answer, Answerer, Write, Writer
    from tensaku.retrieve.indexing import Texts
    from tensaku.retrieve.search import Steps
    from tensaku.retrieve.section import Retrieve
    from tensaku.store import Reporter

__all__ = ["EngineWriter", "answerer", "barriers", "check_sources", "forget_erased", "home", "in_memory", "index",
           "search", "writing"]  # fmt: skip

Set = Annotated[list[str] | None, typer.Option("--set", "-s", help="Change a setting, as in -s retrieve.rerank=false.")]
_ANSWER = 300
"""Most tokens of an answer that a model words."""
_EVEN = 0.05
"""Seconds: searches end on multiples of this, so that the time of one tells nothing of what was passed over."""


def home(workspace: Workspace) -> Path:
    """Where a workspace keeps its index."""
    return workspace.root / "index"


def _section(workspace: Workspace) -> Retrieve:
    cfg = workspace.spec.retrieve
    if not cfg.searched:
        what = "the task file names no documents"
        fix = 'Write [[retrieve.documents]] with path = "rules" and name = "rules", or finals = "comments"'
        raise UsageError(what, where=workspace.folder / "tensaku.toml", fix=fix)
    names = [one.name for one in cfg.documents] + [cfg.finals] * bool(cfg.finals)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two sources are called {twice[0]!r}", where=workspace.folder / "tensaku.toml")
    return cfg


def _path(id: int | str, fund: str, as_of: str, section: str) -> str:
    """Where a published comment stands within its source, so that rules of rights can name funds and months."""
    parts = (fund, as_of, section, str(id))
    return "/".join(part.replace("/", "／") for part in parts)


def _comments(ledger: Ledger, source: str, language: str) -> Texts:
    """The comments that stand in the ledger as documents; each counts from the first day of its month."""
    from tensaku.retrieve.indexing import Text, Texts
    from tensaku.revise import SECTIONS

    def one(pair: Mapping[str, Any]) -> Text:
        year, month = pair["as_of"].split("-")
        of = f"{year}年{int(month)}月" if language == "ja" else pair["as_of"]
        title = f"{pair['fund']} {SECTIONS[language].get(pair['section'], pair['section'])} {of}"
        path = _path(pair["id"].removeprefix("ledger-"), pair["fund"], pair["as_of"], pair["section"])
        return Text(path, title, pair["final"], pair["fund"], f"{pair['as_of']}-01")

    return Texts(source, tuple(one(pair) for pair in ledger.freeze()))


def _seen(ledger: Ledger, source: str, task: str) -> Callable[[str], set[str]]:
    """From a person to the paths of the comments that the person may see at this moment."""

    return lambda person: {f"{source}/{_path(*one)}" for one in ledger.seen_by(person, task)}


def forget_erased(workspace: Workspace, ledger: Ledger) -> int:
    """Take comments that stand in the ledger no more out of the index; how many those were.

    Raises:
        UsageError: the index is damaged.
    """
    from tensaku.retrieve.indexing import take_out
    from tensaku.show import reporter

    source = workspace.spec.retrieve.finals
    if not source:
        return 0
    standing = {f"{source}/{text.path}" for text in _comments(ledger, source, workspace.spec.task.language).texts}
    return take_out(home(workspace), lambda at: at.startswith(f"{source}/") and at not in standing, reporter())


class EngineWriter:
    """Words answers by the engine that `engine` gives at the moment; no number but those of what it was shown."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine

    def __call__(self, messages: tuple[Message, ...]) -> str:
        """The answer to a conversation.

        Raises:
            EngineError: the engine failed.
        """
        from tensaku.engines import Request

        engine = self._engine()
        known = messages[-1].content if "facts" in getattr(engine, "can", ()) else None
        stream = engine.submit(Request(messages, max_tokens=_ANSWER, facts=known))
        return "".join(piece.text for piece in stream)

    def fits(self, messages: tuple[Message, ...]) -> bool:
        """Whether a conversation leaves room for an answer in the engine's context."""
        engine = self._engine()
        return engine.measure(messages) + _ANSWER <= engine.context


@contextmanager
def writing(workspace: Workspace, champion: Callable[[], Engine] | None = None) -> Iterator[EngineWriter | None]:
    """What words the answers where the task file has a model do so: its own engine, else that of `champion`.

    Without a champion the base of the newest release is opened.

    Raises:
        UsageError: there is no model yet, or the engine cannot be opened.
    """
    from tensaku.engines import open_engine

    cfg = workspace.spec.retrieve
    if cfg.answers != "model" or (champion is not None and not cfg.engine):
        yield EngineWriter(champion) if champion is not None and cfg.answers == "model" else None
        return
    local = cfg.engine.get("engine", "native") in ("native", "transformers")
    base = _base(workspace) if local else workspace.root
    engine = open_engine(cfg.engine or workspace.spec.serve.engine_for(base), base)
    try:
        yield EngineWriter(lambda: engine)
    finally:
        engine.close()


def _base(workspace: Workspace) -> Path:
    """The folder of the base model of the newest release, or of the newest one here."""
    from tensaku.store import Store

    store = Store(workspace.root)
    if releases := store.list("release"):
        return store.get(releases[-1].inputs["base"]).path
    for stage in ("trim", "base"):
        if found := store.list(stage):
            return found[-1].path
    raise UsageError("there is no model yet", where=store.root, fix="Make one with: tensaku run trim")


def answerer(workspace: Workspace, ledger: Ledger, write: Write | Writer | None = None) -> Answerer:
    """What answers questions from the workspace's documents; `write` is a model that words the answers.

    The ledger, which stays the caller's to close, is asked at every question whose comments a person may see.

    Raises:
        UsageError: the task file names no documents, or a file it names is wrong.
    """
    from tensaku.models.embed import open_embedder
    from tensaku.retrieve.answer import Answerer
    from tensaku.retrieve.search import Searcher
    from tensaku.retrieve.words import Synonyms

    cfg = _section(workspace)
    terms = Synonyms.read(workspace.folder / cfg.terms) if cfg.terms else Synonyms.of_names(workspace.names())
    live = {cfg.finals: _seen(ledger, cfg.finals, workspace.spec.task.name)} if cfg.finals else {}
    embedder = open_embedder(cfg.embedding) if cfg.vectors else None
    searcher = Searcher(home(workspace), embedder, workspace.rights(live), terms, even=_EVEN)
    return Answerer(
        searcher,
        sure=cfg.sure,
        write=write,
        mark=cfg.unsupported == "mark",
        whole=cfg.rewrite,
        extract=cfg.keywords,
        steps=_steps(cfg),
    )


def in_memory(answers: Answerer, reporter: Reporter) -> list[str]:
    """Take the index into memory; what whoever starts the server should know of that."""
    try:
        with reporter.task("read the index into memory"):
            told = answers.searcher.hold()
    except UsageError:  # there is none yet: told to whoever asks
        return []
    return [f"Index     {told}"] if told else []


def _steps(cfg: Retrieve) -> Steps:
    from tensaku.retrieve.search import Steps

    return Steps(words=cfg.words, vectors=cfg.vectors, rerank=cfg.rerank, synonyms=cfg.synonyms)


def index(folder: Folder = HERE, sets: Set = None, as_json: Json = False) -> None:
    """Read the documents that changed into the index, take out those that are gone, and seal it."""
    from tensaku.models.embed import open_embedder
    from tensaku.pipeline import Workspace
    from tensaku.retrieve.indexing import Collection
    from tensaku.retrieve.indexing import index as run
    from tensaku.show import reporter

    workspace = Workspace.open(folder, sets or [])
    cfg = _section(workspace)
    collections: list[Collection | Texts] = [
        Collection(one.name, workspace.folder / one.path, one.fund) for one in cfg.documents
    ]
    if cfg.finals:
        with workspace.open_ledger() as ledger:
            collections.append(_comments(ledger, cfg.finals, workspace.spec.task.language))
    done = run(
        collections,
        home(workspace),
        open_embedder(cfg.embedding),
        size=cfg.passage,
        most_mb=cfg.most_mb,
        reporter=reporter(),
    )
    if as_json:
        print(json.dumps(vars(done), ensure_ascii=False))
    else:
        print(f"{done.documents} documents, {done.passages} passages in index {done.snapshot}")
        print(f"{done.read} read, {done.unchanged} unchanged, {done.removed} removed, {len(done.faults)} not readable")
        for path, fault in done.faults.items():
            print(f"  {path}: {fault}")
        for path, notes in done.notes.items():
            print(f"  {path}: {'; '.join(notes)}")
    if done.faults:
        raise typer.Exit(1)


def search(
    question: Annotated[str, typer.Argument(help="What to look for.")],
    by: Annotated[
        str, typer.Option("--by", help="Who asks, by default whose rights hold: only what they may see is searched.")
    ] = "",
    k: Annotated[int, typer.Option("-k", help="Passages to show.", min=1, max=100)] = 5,
    as_of: Annotated[str, typer.Option("--as-of", help="The day whose documents count, YYYY-MM-DD.")] = "",
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be given again.")] = None,
    fund: Annotated[list[str] | None, typer.Option(help="Only this fund; may be given again.")] = None,
    answer: Annotated[bool, typer.Option("--answer", help="Answer with sources, as retrieve.answers says.")] = False,
    folder: Folder = HERE,
    sets: Set = None,
    as_json: Json = False,
) -> None:
    """Search the documents, or answer a question from them with sources."""
    from tensaku.pipeline import Workspace
    from tensaku.retrieve.search import Filters

    workspace = Workspace.open(folder, sets or [])
    filters = Filters(tuple(source or ()), tuple(fund or ()), _day(as_of))
    person = acting(by)
    with workspace.open_ledger() as ledger:
        if answer:
            with writing(workspace) as write:
                held = answerer(workspace, ledger, write)
                _tell(held.answer(question, person, filters=filters, language=workspace.spec.task.language), as_json)
            return
        held = answerer(workspace, ledger)
        steps = _steps(workspace.spec.retrieve)
        hits = held.searcher.search(question, person, k=k, filters=filters, steps=steps)
    if as_json:
        print(json.dumps(_rows(hits), ensure_ascii=False))
        return
    for number, hit in enumerate(hits, start=1):
        where = ", ".join(f"{name} {rank}" for name, rank in hit.ranks.items())
        print(f"{number}. {hit.cited}  [{hit.source}{' ' + hit.as_of if hit.as_of else ''}]  ({where})")
        print("   " + hit.text.replace("\n", " ")[:160])
    if not hits:
        print("Nothing was found.")


def check_sources(workspace: Workspace, person: str) -> None:
    """Refuse to let somebody work on data that is not theirs to see.

    Raises:
        UsageError: a rule about a file of pairs or documents does not name the person.
    """
    spec, rights, here = workspace.spec, workspace.rights(), Path(os.path.abspath(workspace.folder))
    used = [use.path for use in spec.sources.use]
    used += ["ledger:finals"] if spec.sources.finals.use else []
    used += ["ledger:decisions"] if spec.tune.method == "dpo" else []
    for file in workspace._documents().values() if spec.documents.use else ():
        below = file.path.is_relative_to(here)
        used.append((file.path.relative_to(here) if below else file.path).as_posix())
    if closed := [name for name in used if not rights.opens(person, "source", [name])]:
        what = f"{person!r} may not see {', '.join(closed[:3])}{' and more' if len(closed) > 3 else ''}"
        fix = "Leave it out in the task file, or have somebody run this whom the rights name (--by NAME, --as NAME)"
        raise UsageError(what, where=workspace.file(spec.retrieve.rights), fix=fix)


def barriers(
    ref: Annotated[str, typer.Argument(metavar="[REF]", help="A model; by default every release.")] = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Say who may use and see a model, and which files and funds behind it say so."""
    from tensaku.pipeline import Workspace

    workspace = Workspace.read(folder)
    held = workspace.barriers()
    models = [artifact_of(workspace, ref)] if ref else seen_store(workspace).list("release")
    told = [(one.ref, *held.people(one.ref)) for one in models]
    if as_json:
        rows = [{"model": name, "people": people, "because": because} for name, people, because in told]
        print(json.dumps({"rights": workspace.spec.retrieve.rights, "models": rows}, ensure_ascii=False))
        return
    for name, people, because in told:
        print(f"{name}: {'everybody' if people is None else ', '.join(people) or 'nobody'}")
        for what, who in because.items():
            print(f"  {what}: {', '.join(who) or 'nobody'}")
    if not told:
        print(f"No release is open to {acting()}.")


def _tell(told: Answer, as_json: bool) -> None:
    if as_json:
        rows = [{"text": s.text, "cites": list(s.cites), "borne": s.borne} for s in told.said]
        more = {"found": told.found, "by": told.by, "dropped": told.dropped}
        print(json.dumps({**more, "said": rows, "hits": _rows(told.hits)}, ensure_ascii=False))
    else:
        print("\n".join([told.text, *([told.sources] if told.found else [])]))


def _rows(hits: Sequence[Any]) -> list[dict[str, Any]]:
    names = ("document", "title", "source", "fund", "as_of", "clause", "page", "place", "text", "score", "ranks")
    return [{"cited": hit.cited, **{name: getattr(hit, name) for name in names}} for hit in hits]


def _day(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(f"{text!r} is no day", where="--as-of", fix="Write it as 2026-03-31") from None
