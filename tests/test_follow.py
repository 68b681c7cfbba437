"""Serving follows the ledger: approval, a challenger, the way back, without a restart and without a lost answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tensaku.errors import UsageError
from tensaku.follow import Follower, Loader
from tensaku.ledger import Ledger
from tensaku.pipeline import Workspace, build
from tensaku.serve import Rules, build_app
from tensaku.store import SilentReporter, Store
from tensaku.testing import serving, tiny_desk

pytestmark = pytest.mark.usefixtures("every_method")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_desk(tmp_path_factory.mktemp("follow") / "desk", lessons=7, exam=3)


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    with Ledger.open(Workspace.open(folder).ledger_file) as opened:
        opened.add_person("sato", "佐藤", ("engineer",))
        opened.add_person("kuroda", "黒田", ("approver",))
        yield opened


def releases(folder: Path, ledger: Ledger) -> tuple[Workspace, Store, list[str]]:
    """Two adapters over one base, and a model of its own: three releases of one task."""
    refs = []
    for sets in (("tune.seed=1",), ("tune.seed=2",), ("tune.method=full",)):
        fixed = ("tune.epochs=0.1", "evaluate.scorers=[{ scorer = 'chrf' }]")
        workspace = Workspace.open(folder, [*fixed, *sets])
        store = Store(workspace.root, SilentReporter())
        release = build(store, workspace)["release"]
        ledger.add_release(release.ref, "sato", release.facts)
        refs.append(release.ref)
    return workspace, store, refs


def ask(url: str, n: int = 1, withheld: list[str] | None = None) -> Counter[tuple[str, str]]:
    """Which release answered as what, how often. An answer that is refused because its release lost its approval while
    it was being written goes to `withheld`, by its message; without that list it is a fault as any other."""
    found: Counter[tuple[str, str]] = Counter()
    for _ in range(n):
        body = {"model": "tiny", "messages": [{"role": "user", "content": "市場"}], "max_tokens": 2}
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60)
        if withheld is not None and answer.status_code == 503 and answer.json()["error"]["code"] == "approval_ended":
            withheld.append(answer.json()["error"]["message"])
            continue
        made_by = answer.raise_for_status().json()["tensaku"]
        found[made_by["release"], made_by["arm"]] += 1
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def until(url: str, release: str) -> None:
    end = time.monotonic() + 30
    while set(ask(url)) != {(release, "champion")}:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_server_follows_the_ledger(folder: Path, ledger: Ledger) -> None:
    workspace, store, (one, two, own) = releases(folder, ledger)
    ledger.approve(one, "kuroda", "approved")
    with Loader(workspace, store) as loader:
        follower = Follower(loader, ledger, "here")
        follower.look()
        first = follower.champion.engine
        shown: list[str] = []
        follower.changed = lambda now: shown.append(now.ref)
        app = build_app(engine=first, models=follower.lineup, rules=Rules(record="none"), ledger=ledger)
        faults: list[Exception] = []
        withheld: list[str] = []
        stop = threading.Event()

        def keep_asking(url: str) -> None:
            while not stop.is_set():
                try:
                    ask(url, withheld=withheld)
                except Exception as error:  # told below
                    faults.append(error)

        with serving(app) as url, follower:
            asking = threading.Thread(target=keep_asking, args=(url,))
            asking.start()
            assert ask(url, 3) == {(one, "champion"): 3}
            ledger.approve(two, "kuroda", "approved", share=0.25)
            end = time.monotonic() + 30
            while len(ask(url, 4)) < 2:
                assert time.monotonic() < end
            ledger.deploy(two, "sato")
            until(url, two)
            assert follower.champion.engine is first  # the same base: one copy in memory
            ledger.approve(own, "kuroda", "approved")
            until(url, own)
            names = [card["id"] for card in httpx.get(f"{url}/v1/models").json()["data"]]
            assert names == ["tiny", own]  # a model of its own has no base beside it
            ledger.roll_back("sato")
            until(url, two)
            assert "base" in [card["id"] for card in httpx.get(f"{url}/v1/models").json()["data"]]
            assert withheld == []  # approved, tried, deployed, rolled back: whoever was replaced ended what it began
            ledger.approve(two, "kuroda", "rejected", "numbers")
            until(url, one)
            stop.set()
            asking.join()
        assert faults == []
        # The ledger holds the approval again when it records an answer. So one that was being written then is withheld:
        # the one of whoever asks all the time, if it was on its way; whoever asked afterwards waited for the next one.
        assert withheld in ([], [f"the approval of {two} ended while the answer was being written, so it is not given"])
        assert shown[-1] == one
    events = [(row.release, row.event) for row in reversed(ledger.deployments())]
    assert events[:3] == [(one, "started"), (two, "started"), (one, "stopped")]
    assert events[-1] == (one, "stopped")
    arms = Counter((row.release, row.arm) for row in ledger.answers())
    assert arms[two, "challenger"] > 0
    assert arms[two, "champion"] > 0
    assert ledger.verify_records() == []


def test_what_cannot_be_loaded_changes_nothing_and_is_told(folder: Path, ledger: Ledger) -> None:
    workspace, store, (one, *_) = releases(folder, ledger)
    ledger.approve(one, "kuroda", "approved")
    with Loader(workspace, store) as loader:
        follower = Follower(loader, ledger, "here")
        follower.look()
        ledger.add_release("release-elsewhere", "sato", {})
        ledger.approve("release-elsewhere", "kuroda", "approved")
        with follower:
            wait_until(lambda: "release-elsewhere" in follower.fault)
            with pytest.raises(UsageError, match="release-elsewhere"):
                follower.check()
            assert follower.champion.ref == one
            ledger.roll_back("sato")
            wait_until(lambda: not follower.fault)
            follower.check()
