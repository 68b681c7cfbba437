"""Put a release to work: find it, check that it may be served, load its model, start API and desk."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tensaku.errors import UsageError
from tensaku.follow import Follower, Loader
from tensaku.govern import require_approved
from tensaku.ledger import Ledger
from tensaku.library import answerer
from tensaku.pipeline import Workspace
from tensaku.store import Artifact, Reporter, Store
from tensaku.task import Serve

if TYPE_CHECKING:
    from tensaku.engines import Engine
    from tensaku.records import Message
    from tensaku.retrieve.answer import Answerer
    from tensaku.revise import Job
    from tensaku.serve import Rules, Served, Tls

__all__ = ["check_person", "opened", "register_release", "release_of", "serve_release"]


def release_of(store: Store, ref: str | None) -> Artifact:
    """The release called `ref`, or the newest.

    Raises:
        UsageError: there is no release yet, or `ref` is something else.
    """
    if ref is None:
        releases = store.list("release")
        if not releases:
            raise UsageError("there is no release yet", where=store.root, fix="Make one with: tensaku run")
        return releases[-1]
    found = store.get(ref)
    if found.stage != "release":
        what = f"{found.ref} is no release but the result of {found.stage!r}"
        raise UsageError(what, where=store.root, fix="See: tensaku list release")
    return found


def check_person(workspace: Workspace, name: str) -> None:
    """Make sure, before the work begins, that the ledger knows whoever will have done it.

    Raises:
        NotFound: nobody of that name; the nearest names are given.
    """
    with Ledger.open(workspace.ledger_file, names=workspace.names()) as ledger:
        ledger.person(name)


def register_release(workspace: Workspace, release: Artifact, by: str) -> None:
    """Enter a new release into the ledger as a candidate tuned by `by` (by default the user of this machine)."""
    name = by or _user_here()
    with Ledger.open(workspace.ledger_file, names=workspace.names()) as ledger:
        if release.ref in {row.ref for row in ledger.releases()}:
            return
        if not by and name not in {person.name for person in ledger.people()}:
            ledger.add_person(name, name, ("engineer",))
        ledger.add_release(release.ref, name, release.facts)


def _user_here() -> str:
    """The user of this machine as a person's short name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        user = f"user-{os.getuid()}"
    return re.sub(r"[^\w.@-]+", "-", user)[:64]


@contextmanager
def opened(
    workspace: Workspace, ref: str | None, *, trial: bool, reporter: Reporter | None = None
) -> Iterator[tuple[Engine, Job]]:
    """The engine with a release loaded, and how drafts are revised with it.

    Without `ref` it is the release that the ledger says answers now; on trial, or before any was approved, the newest.

    Raises:
        UsageError: the release is not approved and `trial` is not said.
    """
    store = Store(workspace.root, reporter)
    with Ledger.open(workspace.ledger_file, names=workspace.names()) as ledger:
        now = None if ref or trial else ledger.deployed()
        release = release_of(store, now.champion if now is not None else ref)
        marked = require_approved(ledger, release.ref, trial=trial)
    with Loader(workspace, store) as loader:
        loaded = loader.load(release.ref, trial=marked)
        yield loaded.engine, loaded.job


def serve_release(
    workspace: Workspace,
    store: Store,
    ref: str | None,
    *,
    trial: bool,
    listener: socket.socket,
    tls: Tls | None = None,
) -> None:
    """Serve API and desk on `listener` until Ctrl-C.

    A release that is named (or, on trial, the newest) stays to the end. Without a name the ledger's rollouts are
    followed: what is approved, tried as a challenger or taken back there answers within two seconds, without a restart.

    Raises:
        UsageError: the release is not approved and `trial` is not said.
    """
    from tensaku import desk, serve

    cfg = workspace.spec.serve
    with Ledger.open(workspace.ledger_file, names=workspace.names()) as ledger, Loader(workspace, store) as loader:
        place = serve.address(listener, tls)
        follower = Follower(loader, ledger, place)
        with store.reporter.task("load the model"):
            if ref is None and not trial and ledger.deployed() is not None:
                follower.look()
            else:
                release = release_of(store, ref)
                follower.hold(release.ref, require_approved(ledger, release.ref, trial=trial))
        first = follower.champion
        answers = _documents(workspace, follower)
        app = serve.build_app(
            engine=first.engine,
            models=follower.lineup,
            hosts=serve.hosts_of(listener),
            rules=_rules(cfg, listener),
            ledger=ledger,
            checks={"rollout": follower.check},
        )
        if answers is not None:
            follower.lineup.beside = (_rag(workspace, answers),)
        page = desk.mount(
            app,
            ledger=ledger,
            engine=first.engine,
            job=first.job,
            title=workspace.spec.task.name,
            choose=follower.choose,
            documents=answers,
        )
        follower.changed = lambda now: page.answer_with(now.engine, now.job)
        with follower:
            serve.run(app, listener=listener, ready=_tell(first.trial), grace=cfg.grace, tls=tls)


def _documents(workspace: Workspace, follower: Follower) -> Answerer | None:
    """What answers from the workspace's documents, worded by the champion's base where the task file says so."""
    if not workspace.spec.retrieve.documents:
        return None
    from tensaku.engines.protocol import Request

    def write(messages: tuple[Message, ...]) -> str:
        return "".join(piece.text for piece in follower.champion.engine.submit(Request(messages, max_tokens=300)))

    return answerer(workspace, write)


def _rag(workspace: Workspace, answers: Answerer) -> Served:
    from tensaku.serve import Served
    from tensaku.serve.rag import DocumentEngine, rag_name

    return Served(name=rag_name(workspace.spec.retrieve.name), release="", adapter=None, engine=DocumentEngine(answers))


def _rules(cfg: Serve, listener: socket.socket) -> Rules:
    from tensaku import serve

    loopback = serve.hosts_of(listener) == serve.LOOPBACK
    return serve.Rules(
        at_once=cfg.at_once,
        waiting=cfg.waiting,
        wait_seconds=cfg.wait_seconds,
        answer_seconds=cfg.answer_seconds,
        max_tokens=cfg.max_tokens,
        max_body=int(cfg.max_body_mb * 2**20),
        keys=cfg.keys == "always" or not loopback,
        record=cfg.record,
    )


def _tell(marked: bool) -> Callable[[str], None]:
    def ready(url: str) -> None:
        if marked:
            print("Trial     nobody has approved this release; every answer is marked")
        print(f"Desk      {url}\nAPI       {url}/v1\nCtrl-C ends it.", flush=True)

    return ready
