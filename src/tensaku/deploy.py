"""Put a release to work: find it, check that it may be served, load its model, start API and desk."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tensaku.engines.profiles import PROFILES, Hardware, keys_and_values_mb, profile_for
from tensaku.errors import UsageError
from tensaku.follow import Follower, Loader
from tensaku.govern import enter_parts, note_lineage, require_approved
from tensaku.intake import Road
from tensaku.ledger import Ledger, NewAnswer
from tensaku.library import answerer, in_memory, writing
from tensaku.options import acting, artifact_of, seen_ledger, user_here
from tensaku.pipeline import Workspace
from tensaku.revise import Tuned
from tensaku.store import Artifact, Reporter, Store
from tensaku.task import Serve

if TYPE_CHECKING:
    from tensaku.desk import AccessRules
    from tensaku.engines import Engine
    from tensaku.ledger import Ledger
    from tensaku.ledger.warehouse import Copied
    from tensaku.records import Revision
    from tensaku.retrieve.answer import Answerer
    from tensaku.revise import Job
    from tensaku.serve import Rules, Served, Tls

_log = logging.getLogger(__name__)

__all__ = [
    "access_rules",
    "anchoring",
    "check_person",
    "copy_finals",
    "export_finals",
    "opened",
    "register_release",
    "release_of",
    "serve_release",
    "tell_profiles",
]


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
    with workspace.open_ledger() as ledger:
        ledger.person(name)


def register_release(workspace: Workspace, release: Artifact, by: str) -> None:
    """Enter a new release as a candidate tuned by `by` (by default the user of this machine).

    Its parts go into the inventory, and what it was made from into the lineage.
    """
    name = by or user_here()
    with workspace.open_ledger() as ledger:
        if release.ref in {row.ref for row in ledger.releases()}:
            return
        if not by and name not in {person.name for person in ledger.people()}:
            ledger.add_person(name, name, ("developer",))
        ledger.add_release(release.ref, name, release.facts)
        store, gate = Store(workspace.root), workspace.spec.gate
        enter_parts(ledger, store, release, gate.owner, gate.purpose_ja)
        note_lineage(ledger, store, release.ref)


def export_finals(
    workspace: Workspace, form: str, folder: Path, *, month: str = "", fund: str = "", history: bool = False
) -> tuple[Path, int]:
    """Write the published comments into one file of `folder`; gives the file and how many they are.

    Raises:
        UsageError: no such form, nothing saved that matches, the house's template cannot be used, or the file cannot
            be written.
    """
    from tensaku.desk.handout import gather, handout

    with seen_ledger(workspace) as ledger:
        found = gather(ledger, month=month or None, fund=fund or None)
    template = workspace.file(workspace.spec.desk.template)
    content = handout(found, form, language=workspace.spec.task.language, history=history, template=template)
    name = "-".join(["comments", *filter(None, (month, re.sub(r"[^\w.-]+", "-", fund)))])
    path = folder / f"{name}.{form}"
    part = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise UsageError(
            f"the file cannot be written ({error.strerror})", where=path, fix="Name another folder"
        ) from None
    return path, len(found)


def copy_finals(workspace: Workspace) -> Copied:
    """Bring the copy of finals and labels at `[ledger] warehouse` up to date.

    Raises:
        UsageError: none is named, its address holds a password, it cannot be reached or written to, or whoever acts
            does not stand inside every barrier: the copy holds every fund.
    """
    from tensaku.ledger.database import url_of
    from tensaku.ledger.warehouse import copy_out, warehouse

    place = workspace.spec.ledger
    if not place.warehouse:
        fix = 'Write warehouse = "snowflake://USER@ACCOUNT/DB/SCHEMA" into [ledger]'
        raise UsageError("no warehouse is named", where="ledger.warehouse", fix=fix)
    where = url_of(place.warehouse)
    if where.password is not None:
        fix = f"Leave it out there and put it into the environment variable {place.warehouse_password_env}"
        raise UsageError("the warehouse's address holds a password", where="ledger.warehouse", fix=fix)
    if password := os.environ.get(place.warehouse_password_env):
        where = where.set(password=password)
    workspace.barriers().check_within(acting(), "the warehouse")
    engine = warehouse(where)
    try:
        with workspace.open_ledger() as ledger:
            return copy_out(ledger, engine)
    finally:
        engine.dispose()


Keep = Callable[["Revision"], None]
"""Called with each revision before it is handed on."""


@contextmanager
def opened(
    workspace: Workspace, ref: str | None, *, trial: bool, reporter: Reporter | None = None
) -> Iterator[tuple[Engine, Job, Keep]]:
    """The engine with a release loaded, how drafts are revised with it, and what takes each revision first.

    The last counts it where the release was approved for a number of answers, and refuses one too many.

    Without `ref` it is the release that the ledger says answers now; on trial, or before any was approved, the newest.

    Raises:
        UsageError: the release is not approved and `trial` is not said.
    """
    store = Store(workspace.root, reporter)
    with workspace.open_ledger() as ledger:
        now = None if ref or trial else ledger.deployed()
        release = release_of(store, now.champion if now is not None else ref)
        if not workspace.barriers().opens(acting(), release.ref):
            if ref is not None:
                artifact_of(workspace, ref)  # which says that there is none
            raise UsageError(f"no model is open to {acting()!r}", fix="Act as somebody whom the rights name: --as NAME")
        marked = require_approved(ledger, release.ref, trial, workspace.spec.task.name)
        counted = not marked and ledger.check_use(release.ref)
    with Loader(workspace, store) as loader:
        loaded = loader.load(release.ref, trial=marked)
        yield loaded.engine, loaded.job, _counting(workspace) if counted else lambda revision: None


def _counting(workspace: Workspace) -> Keep:
    """Writes a revision of this command down as an answer, so that it is held against the approval."""

    last = time.monotonic()

    def keep(made: Revision) -> None:
        nonlocal last
        began, last = last, time.monotonic()
        name, by = workspace.spec.task.name, made.provenance
        about = (made.draft, made.text, made.finish, made.usage, last - began)
        with workspace.open_ledger() as ledger:
            ledger.add_answer(NewAnswer("revise", name, by["release"], "", by, *about), workspace.spec.serve.record)

    return keep


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
    from tensaku.plan import errors_so_far

    cfg = workspace.spec.serve
    with workspace.open_ledger() as ledger, Loader(workspace, store) as loader, ExitStack() as stack:
        place = serve.address(listener, tls)
        follower = Follower(loader, ledger, place)
        write = stack.enter_context(writing(workspace, lambda: follower.champion.engine))
        with store.reporter.task("load the model"):
            if ref is None and not trial and ledger.deployed() is not None:
                follower.look()
            else:
                release = release_of(store, ref)
                follower.hold(release.ref, require_approved(ledger, release.ref, trial, workspace.spec.task.name))
        first = follower.champion
        searched = workspace.spec.retrieve.searched
        answers = answerer(workspace, ledger, write) if searched else None
        told = in_memory(answers, store.reporter) if answers is not None else []
        app = serve.build_app(
            engine=first.engine,
            models=follower.lineup,
            hosts=serve.hosts_of(listener),
            rules=_rules(cfg, listener, first.tuned.model),
            ledger=ledger,
            checks={"rollout": follower.check},
            sees=_sees(follower, answers),
        )
        signing_in = access_rules(workspace, loopback=serve.hosts_of(listener) == serve.LOOPBACK, tls=tls is not None)
        if answers is not None:
            follower.lineup.beside = (_rag(workspace, answers),)
        page = desk.mount(
            app,
            ledger=ledger,
            engine=first.engine,
            job=first.job,
            title=workspace.spec.task.name,
            choose=follower.choose,
            access=signing_in,
            due_day=workspace.spec.desk.due_day,
            retrain=(workspace.spec.desk.retrain_after, workspace.spec.desk.retrain_drift),
            road=Road(ledger, workspace.spec.reports, workspace.root / "reports"),
            documents=answers,
            barriers=follower.barriers,
            template=workspace.file(workspace.spec.desk.template),
            pool=lambda: next(iter(store.list("curate")[-1:]), None),
            artifacts=store.get,
            material=workspace.spec.approval.data,
            errors=lambda: errors_so_far(workspace.root),
        )
        follower.changed = lambda now: page.answer_with(now.engine, now.job)
        with follower, anchoring(workspace, ledger):
            ready = _tell(first.trial, [*told, *_of_sign_in(signing_in, ledger), *_of_anchors(workspace, ledger)])
            serve.run(app, listener=listener, ready=ready, grace=cfg.grace, tls=tls)


def access_rules(workspace: Workspace, *, loopback: bool, tls: bool) -> AccessRules:
    """How people sign in at the desk, as the task file says.

    Raises:
        UsageError: the provider has no client name.
    """
    from tensaku.desk import AccessRules, OidcRules

    cfg = workspace.spec.desk
    if cfg.oidc.issuer and not cfg.oidc.client_id:
        raise UsageError("the provider needs a client name", where="desk.oidc.client_id", fix="Write it there")
    oidc = OidcRules(
        issuer=cfg.oidc.issuer,
        client_id=cfg.oidc.client_id,
        client_secret=os.environ.get(cfg.oidc.secret_env, ""),
        claim=cfg.oidc.claim,
        scope=cfg.oidc.scope,
        label=cfg.oidc.label,
        authorities=str(workspace.file(cfg.oidc.authorities) or ""),
    )
    return AccessRules(
        open=loopback and cfg.sign_in == "open-on-this-machine" and not cfg.oidc.issuer,
        secure=tls or cfg.https,
        hours=cfg.session_hours,
        idle_minutes=cfg.idle_minutes,
        failures=cfg.failures,
        lock_minutes=cfg.lock_minutes,
        task=workspace.spec.task.name,
        oidc=oidc,
    )


def _sees(follower: Follower, answers: Answerer | None) -> Callable[[str, Served], bool]:
    """Who may know of a model; that of the documents is there for whoever may see one of them."""
    from tensaku.serve.rag import DocumentEngine

    def sees(person: str, model: Served) -> bool:
        if answers is None or not isinstance(model.engine, DocumentEngine) or not follower.barriers.rights.given:
            return follower.sees(person, model)
        try:
            return bool(answers.searcher.sources(person))
        except UsageError:  # no index, or no rules that could be read
            return False

    return sees


def _rag(workspace: Workspace, answers: Answerer) -> Served:
    from tensaku.serve import Served
    from tensaku.serve.rag import DocumentEngine, rag_name

    return Served(name=rag_name(workspace.spec.retrieve.name), release="", adapter=None, engine=DocumentEngine(answers))


def _rules(cfg: Serve, listener: socket.socket, base: Path) -> Rules:
    from tensaku import serve

    loopback = serve.hosts_of(listener) == serve.LOOPBACK
    return serve.Rules(
        at_once=cfg.together(base),
        waiting=cfg.waiting,
        wait_seconds=cfg.wait_seconds,
        answer_seconds=cfg.answer_seconds,
        max_tokens=cfg.max_tokens,
        max_body=int(cfg.max_body_mb * 2**20),
        keys=cfg.keys == "always" or not loopback,
        record=cfg.record,
    )


def _of_sign_in(rules: AccessRules, ledger: Ledger) -> list[str]:
    """What whoever starts the server should know of who can come in."""
    if rules.open:
        return ["Sign-in   open: whoever uses this machine says who they are (desk.sign_in)"]
    told = []
    if not rules.secure:
        told.append(
            "Sign-in   passwords cross the wire unencrypted: set serve.certificate, or desk.https behind a proxy"
        )
    if not rules.oidc.issuer and all(p.credential == "none" or not p.active for p in ledger.people()):
        told.append("Sign-in   nobody has a password yet: tensaku user password NAME")
    return told


def tell_profiles(workspace: Workspace, as_json: bool) -> None:
    """Print what each profile would set on this machine, over the newest release's base if there is one."""
    from tensaku.show import print_profiles

    cfg, hardware, store = workspace.spec.serve, Hardware.found(), Store(workspace.root)
    releases = store.list("release")
    stream_mb = 0.0
    if releases:
        model = Tuned.of(releases[-1], store.get(releases[-1].inputs["base"])).model
        with suppress(UsageError):  # a family that another engine computes
            stream_mb = keys_and_values_mb(model, cfg.context)
    made = [profile_for(name, hardware, stream_mb) for name in PROFILES]
    chosen = profile_for(cfg.profile, hardware, stream_mb).name
    print_profiles(made, chosen, hardware, stream_mb, cfg.at_once, as_json)


@contextmanager
def anchoring(workspace: Workspace, ledger: Ledger, every: float = 60.0) -> Iterator[None]:
    """Note the day's anchor while a server runs: at once, and whenever a day has begun, looking `every` seconds."""
    daily = workspace.daily_anchor(lambda told: _log.error("%s", told))
    ended = threading.Event()

    def keep() -> None:
        while daily is not None:
            daily.keep(ledger)
            if ended.wait(every):
                return

    thread = threading.Thread(target=keep, name="daily-anchor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _of_anchors(workspace: Workspace, ledger: Ledger) -> list[str]:
    """What whoever starts the server should know of days that were missed."""
    from tensaku.govern.anchors import missed_days, read_anchors

    if not workspace.spec.govern.anchors:
        return []
    try:
        missed = missed_days(ledger, read_anchors(workspace.anchors))
    except UsageError as error:  # writers need not wait until it is put right
        return [f"Log       the anchors cannot be read: {error}"]
    before = [day for day in missed if day < datetime.now().astimezone().date()]
    if not before:
        return []
    return [f"Log       {len(before)} days without an anchor, the last {before[-1]}: tensaku log verify"]


def _tell(marked: bool, more: list[str]) -> Callable[[str], None]:
    def ready(url: str) -> None:
        if marked:
            print("Trial     nobody has approved this release; every answer is marked")
        for line in more:
            print(line)
        print(f"Desk      {url}\nAPI       {url}/v1\nCtrl-C ends it.", flush=True)

    return ready
