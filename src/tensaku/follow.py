"""Releases in memory: loaded while others answer, exchanged when the ledger says so, let go when nobody needs them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tensaku.errors import TensakuError, UsageError
from tensaku.ledger import SYSTEM, Ledger
from tensaku.pipeline import Workspace
from tensaku.store import Store

if TYPE_CHECKING:
    from tensaku.engines import Engine
    from tensaku.revise import Job, Tuned
    from tensaku.serve import Served
    from tensaku.serve.models import Arm

__all__ = ["Follower", "Loaded", "Loader"]

EVERY = 1.0
"""Seconds between two looks into the ledger."""
_IDLE = 2.0
"""Seconds before a retired release is looked at: a request that chose it may just be on its way to the engine."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A release that can answer: by which engine, how it is asked, and the part it plays."""

    ref: str
    tuned: Tuned
    engine: Engine
    job: Job
    trial: bool
    arm: Arm
    created: int

    def served(self, name: str) -> Served:
        """The same for the API, under the task's name."""
        from tensaku.serve import Served

        return Served(
            name=name,
            release=self.ref,
            adapter=self.job.adapter,
            trial=self.trial,
            created=self.created,
            made_by=self.tuned.made_by,
            examples=self.tuned.examples,
            job=self.job,
            engine=self.engine,
            arm=self.arm,
        )


class Loader:
    """Engines by the model they are opened on, with the releases that each has loaded.

    Releases over the same base share one engine. Close it as a context manager.
    """

    def __init__(self, workspace: Workspace, store: Store) -> None:
        self.workspace, self.store = workspace, store
        self._engines: dict[Path, Engine] = {}
        self._held: list[Loaded] = []
        """Releases that may be asked; what none of them needs is let go."""
        self._lock = threading.Lock()
        """Held by who loads or lets go: a release may be wanted again while it is being retired."""

    def load(self, ref: str, *, trial: bool, arm: Arm = "") -> Loaded:
        """Make a release ready to answer, beside those that answer already.

        Raises:
            UsageError: there is no such release here, or it does not fit its base or the engine.
        """
        with self._lock:
            loaded = self._load(ref, trial, arm)
            self._held.append(loaded)
            return loaded

    def _load(self, ref: str, trial: bool, arm: Arm) -> Loaded:
        from tensaku.engines import open_engine
        from tensaku.revise import Tuned

        release = self.store.get(ref)
        tuned = Tuned.of(release, self.store.get(release.inputs["base"]))
        engine = self._engines.get(tuned.model)
        if engine is None:
            engine = open_engine(self.workspace.spec.serve.engine_for(tuned.model), tuned.model)
        plain = self.workspace.job()
        try:
            tuned.load(engine, ref, plain.instruction)
        except BaseException:
            if tuned.model not in self._engines:
                engine.close()
            raise
        self._engines[tuned.model] = engine
        about = {"release": ref, "trial": "yes" if trial else "no", **({"arm": arm} if arm else {})}
        job = tuned.job(self.workspace.job(about), ref)
        created = int(datetime.fromisoformat(release.manifest["ended"]).timestamp())
        return Loaded(ref, tuned, engine, job, trial, arm, created)

    def retire(self, gone: Loaded) -> None:
        """Let go of what only `gone` needed, as soon as nothing of it runs; blocks until then."""
        with self._lock:
            self._held.remove(gone)
        time.sleep(_IDLE)
        while _busy(gone.engine) and not self._needs(gone.engine):
            time.sleep(0.1)
        with self._lock:
            if not self._needs(gone.engine):
                self._engines = {model: kept for model, kept in self._engines.items() if kept is not gone.engine}
                gone.engine.close()
                return
            unload: Callable[[str], None] | None = getattr(gone.engine, "unload_adapter", None)
            if gone.job.adapter is not None and unload and all(gone.ref != held.ref for held in self._held):
                unload(gone.job.adapter)

    def _needs(self, engine: Engine) -> bool:
        return any(held.engine is engine for held in self._held)

    def close(self) -> None:
        """End all answers and free the memory."""
        for engine in self._engines.values():
            engine.close()
        self._engines = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _busy(engine: Engine) -> bool:
    load: Callable[[], dict[str, int]] | None = getattr(engine, "load", None)
    found = load() if load is not None else {}
    return bool(found.get("running") or found.get("waiting"))


class Follower:
    """Keeps a line-up as the ledger's rollouts say; as a context manager it looks every second.

    A release that cannot be loaded changes nothing: the present one goes on, and `check` says why.
    """

    def __init__(self, loader: Loader, ledger: Ledger, place: str) -> None:
        from tensaku.serve import Lineup

        self.lineup = Lineup()
        self.changed: Callable[[Loaded], None] = lambda now: None
        """Called with the champion after each change."""
        self.barriers = loader.workspace.barriers()
        self._loader, self._ledger, self._place = loader, ledger, place
        self._now: list[Loaded] = []
        self._row: int | None = None
        self._follows = False
        self.fault = ""
        """What is wrong with what the ledger wants; empty if nothing is."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="follow-rollouts", daemon=True)

    @property
    def champion(self) -> Loaded:
        """The release that answers."""
        return self._now[0]

    def choose(self, person: str = "") -> tuple[Engine, Job]:
        """Who answers a person's next question for the task, among those that the person may use where there is one."""
        task, sees = self._loader.workspace.spec.task.name, self.sees
        model = self.lineup.choose(task, lambda model: sees(person, model))
        if model is None or model.job is None or model.engine is None:
            return self.champion.engine, self.champion.job
        return model.engine, model.job

    def sees(self, person: str, model: Served) -> bool:
        """Whether a person (empty: somebody without a name) stands inside every barrier around a model.

        The base alone is bound by what it was trained on and trimmed by.
        """
        if model.release:
            return self.barriers.opens(person, model.release)
        if model.name != "base" or not self.barriers.up:
            return True
        base = self._loader.store.get(self.champion.ref).inputs["base"]
        return self.barriers.opens(person, base)

    def check(self) -> None:
        """Say what is wrong with what the ledger wants.

        Raises:
            UsageError: the release that should answer cannot be loaded.
        """
        if self.fault:
            raise UsageError(self.fault)

    def hold(self, ref: str, trial: bool) -> None:
        """Answer with this release whatever the ledger says.

        Raises:
            UsageError: it cannot be loaded.
        """
        loaded = self._loader.load(ref, trial=trial)
        self._ledger.add_deployment(ref, SYSTEM, place=self._place, trial=trial)
        self._now = [loaded]
        self._line_up(0.0)

    def look(self) -> None:
        """Bring the line-up to what the ledger says now, and follow it from now on.

        Raises:
            UsageError: a release cannot be loaded, is not in the inventory, or was approved for another task; nothing
                was changed.
        """
        self._follows = True
        row = self._ledger.deployed()
        if row is None:
            return
        wanted: list[tuple[str, Arm]] = [(row.champion, "champion")]
        if row.challenger is not None:
            wanted.append((row.challenger, "challenger"))
        if row.id == self._row and [(one.ref, one.arm) for one in self._now] == wanted:
            return
        made: list[Loaded] = []
        try:
            for ref, arm in wanted:
                self._ledger.check_use(ref, self._loader.workspace.spec.task.name)
                held = next((one for one in self._now if (one.ref, one.arm) == (ref, arm)), None)
                made.append(held or self._loader.load(ref, trial=False, arm=arm))
        except BaseException:
            self._retire([one for one in made if one not in self._now])
            raise
        before, self._now, self._row = self._now, made, row.id
        self._line_up(row.share or 0.0)
        self.changed(self.champion)
        self._note(before, made)
        self._retire([one for one in before if one not in made])

    def _line_up(self, share: float) -> None:
        name = self._loader.workspace.spec.task.name
        base = self.champion.tuned.form != "weights"
        self.lineup.replace([one.served(name) for one in self._now], share, base=base)

    def _note(self, before: list[Loaded], made: list[Loaded]) -> None:
        was, now = {one.ref for one in before}, {one.ref for one in made}
        for ref in sorted(was - now):
            self._ledger.add_deployment(ref, SYSTEM, place=self._place, trial=False, event="stopped")
        for ref in sorted(now - was):
            self._ledger.add_deployment(ref, SYSTEM, place=self._place, trial=False)
        if before:
            _log.warning("release %s answers now", " and, on a share, ".join(one.ref for one in made))

    def _retire(self, gone: list[Loaded]) -> None:
        for one in gone:
            threading.Thread(target=self._loader.retire, args=(one,), name="retire-release", daemon=True).start()

    def _watch(self) -> None:
        while not self._end.wait(EVERY):
            try:
                self.look()
                self.fault = ""
            except TensakuError as error:
                if str(error) != self.fault:
                    _log.error("the rollout cannot be followed: %s", error)
                self.fault = str(error)
            except Exception as error:
                _log.exception("following the rollouts failed")
                self.fault = f"{type(error).__name__}: {error}"

    def __enter__(self) -> Self:
        if self._follows:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        for one in self._now:
            self._ledger.add_deployment(one.ref, SYSTEM, place=self._place, trial=one.trial, event="stopped")
