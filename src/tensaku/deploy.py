"""Put a release to work: find it, check that it may be served, load its model, start API and desk."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from tensaku.errors import UsageError
from tensaku.govern import require_approved
from tensaku.ledger import Ledger
from tensaku.pipeline import Workspace
from tensaku.store import Artifact, Reporter, Store

if TYPE_CHECKING:
    from tensaku.engines import Engine
    from tensaku.revise import Job, Tuned

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

    Raises:
        UsageError: the release is not approved and `trial` is not said.
    """
    store = Store(workspace.root, reporter)
    release = release_of(store, ref)
    with Ledger.open(workspace.ledger_file, names=workspace.names()) as ledger:
        marked = require_approved(ledger, release.ref, trial=trial)
    engine, job, _ = _load(workspace, store, release, marked)
    try:
        yield engine, job
    finally:
        engine.close()


def serve_release(
    workspace: Workspace, store: Store, release: Artifact, *, trial: bool, listener: socket.socket
) -> None:
    """Serve API and desk on `listener` until Ctrl-C.

    Raises:
        UsageError: the release is not approved and `trial` is not said.
    """
    from tensaku import desk, serve

    ledger = Ledger.open(workspace.ledger_file, names=workspace.names())
    try:
        marked = require_approved(ledger, release.ref, trial=trial)
        with store.reporter.task("load the model"):
            engine, job, tuned = _load(workspace, store, release, marked)
        try:
            made = int(datetime.fromisoformat(release.manifest["ended"]).timestamp())
            name, examples = workspace.spec.task.name, tuned.examples
            served = serve.Served(name, release.ref, job.adapter, marked, made, tuned.made_by, examples)
            is_base = tuned.form != "weights"
            app = serve.build_app(engine=engine, models=[served], base=is_base, hosts=serve.hosts_of(listener))
            desk.mount(app, ledger=ledger, engine=engine, job=job, title=workspace.spec.task.name)
            serve.run(app, listener=listener, ready=_tell(marked))
        finally:
            engine.close()
    finally:
        ledger.close()


def _tell(marked: bool) -> Callable[[str], None]:
    def ready(url: str) -> None:
        if marked:
            print("Trial     nobody has approved this release; every answer is marked")
        print(f"Desk      {url}\nAPI       {url}/v1\nCtrl-C ends it.", flush=True)

    return ready


def _load(workspace: Workspace, store: Store, release: Artifact, trial: bool) -> tuple[Engine, Job, Tuned]:
    from tensaku.engines import open_engine
    from tensaku.revise import Tuned

    cfg = workspace.spec.serve
    tuned = Tuned.of(release, store.get(release.inputs["base"]))
    job = workspace.job({"release": release.ref, "trial": "yes" if trial else "no"})
    engine = open_engine("native", tuned.model, precision=cfg.precision, context=cfg.context, slots=cfg.at_once)
    try:
        tuned.load(engine, release.ref, job.instruction)
    except BaseException:
        engine.close()
        raise
    return engine, tuned.job(job, release.ref), tuned
