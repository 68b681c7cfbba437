"""Fifty people at the desk: how long each waits for the difference while all of them type. `make bench-desk`

    python -m benchmarks.desk.load                  fifty socket clients, then one browser; a line of JSON each
    python -m benchmarks.desk.load --clients 10 --seconds 20

The server is a process of its own over the sample desk's drafts, house style and names. Each client has signed in, has
a draft of its own open and the published comment in it, and changes a character at the paces of `PACES`. What is timed
is from the sending to the message with the difference for that very text or a newer one. The browser is Debian's
Chromium with an empty cache: its first contentful paint, the moment the list of drafts stands there and the page
answers, and, in a comment of 1,000 characters, from a key to the difference on the screen. What came out is in
results/desk.json.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
from benchmarks.desk.difference import texts
from benchmarks.tune.machine import machine

from tensaku.machine import Processes
from tensaku.sampledesk import folder as sample

RESULT = Path(__file__).parents[1] / "results/desk.json"
CHROMIUM = "/usr/bin/chromium"
GOALS = {"difference_p95_ms": 300, "first_paint_ms": 1000, "difference_1000_p95_ms": 100}
PACES = {"load": 0.5, "load_fast": 0.25}
"""Seconds between two sendings of one client, in the mean. An input method hands over words: a quick writer
of Japanese sends no more than two texts a second. Four is a typist of English who never stops."""
FIRST = 5.0
"""Seconds that are not counted: dictionaries are loaded, the first comparison of each draft reads it."""


def pairs(count: int) -> list[dict[str, Any]]:
    """The sample desk's pairs, the longest comments first."""
    lines = (sample() / "pairs.jsonl").read_text(encoding="utf-8").split("\n")
    return sorted((json.loads(line) for line in lines if line), key=lambda row: -len(row["final"]))[:count]


def serve(folder: Path, count: int) -> None:
    """The desk, until its standard input ends; prints its address."""
    from tensaku.desk import mount
    from tensaku.ledger import Ledger, NewDraft
    from tensaku.revise import Job
    from tensaku.serve import build_app, run
    from tensaku.testing import ScriptedEngine
    from tensaku.text import names_from, required_from, style_from

    style = (sample() / "style.toml").read_text(encoding="utf-8")
    names = names_from((sample() / "names.toml").read_text(encoding="utf-8"))
    ledger = Ledger.open(folder / "ledger.db", names=names)
    for number, row in enumerate(pairs(count)):
        ledger.add_person(f"w{number:03d}", f"書き手 {number}", ("writer",))
        about = (row["manager"], f"ファンド{number:03d}", row["section"], row["as_of"])
        ledger.add_draft(NewDraft(row["draft"], *about, "bench", str(number)))
    ledger.add_draft(NewDraft(texts()[0], "青葉", "長文ファンド", "market", "2026-09", "bench", "long"))
    engine = ScriptedEngine(lambda asked: texts()[1], piece=1000, context=20_000)
    rules = style_from(style, "style.toml"), required_from(style, "style.toml")
    job = Job("添削してください。", None, names, style=rules[0], required=rules[1], max_tokens=5000)
    app = build_app(engine=engine)
    mount(app, ledger=ledger, engine=engine, job=job, title="月次コメント")
    run(app, port=0, ready=lambda url: print(url, flush=True))


@contextmanager
def served(count: int) -> Iterator[tuple[str, int]]:
    """A desk in a process of its own; gives its address and its number."""
    with tempfile.TemporaryDirectory() as folder:
        order = [sys.executable, "-m", "benchmarks.desk.load", "--serve", folder, "--clients", str(count)]
        running = subprocess.Popen(order, stdout=subprocess.PIPE, text=True)
        try:
            assert running.stdout is not None
            yield running.stdout.readline().strip(), running.pid
        finally:
            running.terminate()
            running.wait(timeout=30)


class Client:
    """A browser without a screen: it has signed in, opened its draft and types into its comment."""

    def __init__(self, url: str, name: str, draft: int, text: str) -> None:
        self.url, self.name, self.draft, self.text = url, name, draft, text
        self.waits: list[float] = []
        self._sent: list[tuple[str, float]] = []
        self._listeners: dict[str, str] = {}
        self._id, self._next = "", 0
        self.counts = self.dropped = False

    async def enter(self) -> None:
        """Sign in, load the page, join its socket and open the draft."""
        import socketio

        async with httpx.AsyncClient(base_url=self.url, timeout=60) as http:
            token = re.search(r'name="token" value="([^"]+)"', (await http.get("/signin")).text)
            assert token is not None
            await http.post("/signin", data={"token": token[1], "name": self.name})
            cookie = f"tensaku-session={http.cookies['tensaku-session']}"
            page = (await http.get("/ja")).text
        layout = json.loads(html.unescape(_between(page, "parseElements(String.raw`", "`)")))["0"]
        self._listeners = {event["type"]: event["listener_id"] for event in layout["events"]}
        client, begins = re.search(r"client_id\W+([\w-]+)", page), re.search(r"next_message_id\W+(\d+)", page)
        assert client is not None
        assert begins is not None
        self._id = client[1]
        query = {"client_id": self._id, "next_message_id": begins[1], "implicit_handshake": "true"}
        query |= {"document_id": str(uuid4()), "tab_id": str(uuid4()), "old_tab_id": ""}
        self._socket = socketio.AsyncClient()
        self._socket.on("run_javascript", self._heard)
        words = urlencode(query)
        await self._socket.connect(
            f"{self.url}?{words}", headers={"cookie": cookie, "origin": self.url}, transports=["websocket"],
            socketio_path="/_nicegui_ws/socket.io",
        )  # fmt: skip
        await self._emit("hello", {"draft": self.draft})

    async def _emit(self, name: str, values: dict[str, Any]) -> None:
        told = {"id": 0, "client_id": self._id, "listener_id": self._listeners[f"desk_{name}"]}
        await self._socket.emit("event", {**told, "args": [json.dumps(values)]})

    def _heard(self, message: dict[str, Any]) -> None:
        self._next = message.get("_id", self._next) + 1
        code = message["code"]
        if not code.startswith("desk.compared("):
            return
        now, text = time.perf_counter(), json.loads(code[len("desk.compared(") : -1])["text"]
        at = next((n for n, (sent, _) in enumerate(self._sent) if sent == text), None)
        if at is not None:  # what was sent before it was passed over: this difference is newer
            if self.counts:
                self.waits += [1000 * (now - begun) for _, begun in self._sent[: at + 1]]
            del self._sent[: at + 1]

    async def type(self, seconds: float, between: float, chance: random.Random) -> None:
        """Change a character here and there for so long, or until the server drops the socket."""
        from socketio.exceptions import SocketIOError

        try:
            await self._type(seconds, between, chance)
        except SocketIOError:
            self.dropped = True

    async def _type(self, seconds: float, between: float, chance: random.Random) -> None:
        await asyncio.sleep(chance.random() * between)
        end, acked = time.perf_counter() + seconds, time.perf_counter()
        while time.perf_counter() < end:
            at = chance.randrange(len(self.text))
            self.text = self.text[:at] + chance.choice("市場上昇のがを、。12") + self.text[at + 1 :]
            self._sent.append((self.text, time.perf_counter()))
            await self._emit("text", {"draft": self.draft, "text": self.text, "revision": None})
            if time.perf_counter() - acked > 3:
                await self._socket.emit("ack", {"client_id": self._id, "next_message_id": self._next})
                acked = time.perf_counter()
            await asyncio.sleep(chance.uniform(0.5, 1.5) * between)

    async def leave(self) -> None:
        """Close the page."""
        await self._socket.disconnect()


def _between(text: str, start: str, end: str) -> str:
    at = text.index(start) + len(start)
    return text[at : text.index(end, at)]


async def together(url: str, server: int, count: int, seconds: float, between: float) -> dict[str, Any]:
    """Everybody types; the milliseconds each sending waited, and those that the server worked for it."""
    chance = random.Random(3)
    clients = [Client(url, f"w{n:03d}", n + 1, row["final"]) for n, row in enumerate(pairs(count))]
    for client in clients:
        await client.enter()
    typing = [
        asyncio.create_task(client.type(FIRST + seconds, between, random.Random(chance.random()))) for client in clients
    ]
    await asyncio.sleep(FIRST)
    for client in clients:
        client.counts = True
    processes = Processes(root=server)
    begun = processes.used().cpu_seconds
    await asyncio.gather(*typing)
    worked = processes.used().cpu_seconds - begun
    await asyncio.sleep(3)
    unanswered = sum(len(client._sent) for client in clients)
    for client in clients:
        await client.leave()
    waits = sorted(wait for client in clients for wait in client.waits)
    lengths = [len(row["final"]) for row in pairs(count)]
    return {
        "clients": count,
        "characters": round(statistics.mean(lengths)),
        "sent_a_second": round(len(waits) / seconds, 1),
        "sendings": len(waits),
        "unanswered": unanswered,
        "dropped": sum(client.dropped for client in clients),
        "server_ms_a_sending": round(1000 * worked / max(1, len(waits)), 2),
        **spread("difference", waits),
    }


def spread(name: str, waits: Sequence[float]) -> dict[str, float]:
    """Middle, 95th percentile and worst of milliseconds."""
    waits = sorted(waits)
    at = {"median": 0.5, "p95": 0.95, "worst": 1.0}
    return {f"{name}_{k}_ms": round(waits[min(len(waits) - 1, int(p * len(waits)))], 1) for k, p in at.items()}


WATCH = """() => {
  window.waits = [];
  let began = 0;
  document.getElementById("editor").addEventListener("input", () => { began = began || performance.now(); }, true);
  new MutationObserver(() => {
    if (!began) return;
    const since = began;
    began = 0;
    requestAnimationFrame(() => requestAnimationFrame(() => window.waits.push(performance.now() - since)));
  }).observe(document.getElementById("difference"), { childList: true, subtree: true, characterData: true });
}"""


def in_browser(url: str, times: int, keys: int) -> dict[str, Any]:
    """First paint and readiness with an empty cache and with a full one; keys in a comment of 1,000 characters."""
    from playwright.sync_api import sync_playwright

    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    cold: list[float] = []
    warm: list[float] = []
    ready: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(times):
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.goto(f"{url}/signin")
            session = page.context
            page.locator("[data-person=w000]").click()
            page.locator("#desk-root[data-person=yes]").wait_for()
            cookies = session.cookies()
            session.close()
            fresh = browser.new_context(viewport={"width": 1280, "height": 900})
            fresh.add_cookies(cookies)  # type: ignore[arg-type]
            page = fresh.new_page()
            for found in (cold, warm):
                page.goto(f"{url}/ja")
                page.locator(".item").first.wait_for()
                page.locator("#desk-root[data-person=yes]").wait_for()
                found.append(page.evaluate(paint))
                if found is cold:
                    ready.append(page.evaluate("performance.now()"))
            fresh.close()
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(f"{url}/signin")
        page.locator("[data-person=w000]").click()
        page.get_by_role("region", name="長文ファンド", exact=True).locator(".item").click()
        page.locator("#ask").click()
        page.locator("[data-row]").first.wait_for()
        page.evaluate(WATCH)
        page.locator("#editor").focus()
        page.keyboard.press("Control+Home")
        for n in range(keys):
            page.keyboard.press("ArrowRight")
            page.keyboard.insert_text("市場上昇、。"[n % 6])
            page.wait_for_function(f"window.waits.length > {n}", timeout=20_000)
        waits = page.evaluate("window.waits")
        length = len(page.locator("#editor").input_value())
        browser.close()
    return {
        "first_paint_ms": round(statistics.median(cold)),
        "first_paint_worst_ms": round(max(cold)),
        "answers_ms": round(statistics.median(ready)),
        "second_paint_ms": round(statistics.median(warm)),
        "comment": length,
        **spread("difference_1000", waits),
    }


def main() -> None:
    """Measure, tell and keep."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("--clients", type=int, default=50)
    asked.add_argument("--seconds", type=float, default=30)
    asked.add_argument("--parts", default="load,browser")
    said = asked.parse_args()
    if said.serve is not None:
        serve(said.serve, said.clients)
        return
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    with served(said.clients) as (url, server):
        for name, between in PACES.items() if "load" in said.parts else ():
            kept[name] = asyncio.run(together(url, server, said.clients, said.seconds, between))
            print(json.dumps({name: kept[name]}), flush=True)
        if "browser" in said.parts:
            kept["browser"] = in_browser(url, 5, 60)
            print(json.dumps(kept["browser"]), flush=True)
    kept |= {"machine": machine(), "goals": GOALS}
    RESULT.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
