// The list of changes: each taken, left, altered or marked, by mouse and by key. The server says where each one stands
// in the text that it was sent; a change is only made in that very text.
"use strict";

class ChangeList {
  static REASONS = ["style", "fact", "tone", "compliance", "other"];

  constructor(region, editor, { decide, fresh, gone }) {
    this.region = region;
    this.editor = editor;
    this.decide = decide; // (id, {decision, reason, note}): to the ledger
    this.fresh = fresh; // asks for the list of the text as it stands now
    this.gone = gone;
    this.clear();
    region.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      const row = event.target.closest("[data-row]");
      if (row) this.choose(row.dataset.row, false);
      if (button && row) this.act(row.dataset.row, button.dataset.do);
    });
    region.addEventListener("change", (event) => {
      const { why, note } = event.target.dataset;
      if (why) this.mark(why, { reason: event.target.value });
      else if (note) this.mark(note, { note: event.target.value });
    });
    region.addEventListener("focusin", (event) => {
      const row = event.target.closest("[data-row]");
      if (row) this.choose(row.dataset.row, false);
    });
    region.addEventListener("keydown", (event) => this.key(event));
  }

  clear() {
    forgetReplacing(this.region);
    this.lines = new Map(); // the elements by row, since the server sends only those that are new
    this.region.replaceChildren();
    this.rows = [];
    this.text = null;
    this.stored = {}; // what the ledger said of a change when it was first seen
    this.mine = {}; // what was said on this page since
    this.current = null;
    this.waiting = null;
  }

  // The newest list, what stands in its place if it is empty, and the text that it is of.
  show(rows, empty, text) {
    replacing(this.region, () => this.put(rows, empty, text));
  }

  put(rows, empty, text) {
    this.rows = rows;
    this.text = text;
    this.draw(rows, empty);
    for (const row of rows) if (!(row.id in this.stored)) this.stored[row.id] = row.said;
    this.choose(this.current, false);
    if (this.waiting && text === this.editor.text) {
      const [id, decision] = this.waiting;
      this.waiting = null;
      this.act(id, decision);
    }
  }

  // Put the lines in order; those that stay are not touched, so that a long list costs no more than what is new in it.
  draw(rows, empty) {
    const again = holdFocus(this.region);
    const had = this.lines;
    this.lines = new Map();
    for (const row of rows) {
      const key = `${row.own ? "own" : "model"} ${row.id}`;
      this.lines.set(key, row.html === undefined ? had.get(key) : ChangeList.made(row.html));
    }
    let list = this.region.querySelector(".changes");
    if (rows.length && !list) {
      list = document.createElement("div");
      list.className = "changes";
      this.region.replaceChildren(list);
    } else if (!rows.length) {
      this.region.innerHTML = empty;
    }
    const here = new Set(this.lines.values());
    for (const line of had.values()) if (!here.has(line)) line.remove();
    let at = list?.firstChild;
    let n = 0;
    for (const line of here) {
      if (line === at) at = at.nextSibling;
      else list.insertBefore(line, at);
      n += 1;
      if (line.dataset.n !== String(n)) this.number(line, n);
    }
    again();
  }

  static made(html) {
    const box = document.createElement("template");
    box.innerHTML = html;
    return box.content.firstElementChild;
  }

  number(line, n) {
    line.dataset.n = n;
    line.querySelector(".row-n").textContent = n;
    line.setAttribute("aria-label", `${n}: ${line.dataset.label}`);
    line.tabIndex = n === 1 ? 0 : -1;
  }

  said(id) {
    return this.mine[id] ?? this.stored[id] ?? { decision: "open", reason: "", note: "" };
  }

  undecided(id) {
    return ["open", "marked"].includes(this.said(id).decision);
  }

  find(id) {
    return this.rows.find((row) => row.id === id);
  }

  element(id) {
    return id && this.region.querySelector(`[data-row="${CSS.escape(id)}"]`);
  }

  // Make a row the current one; `focus` also moves the focus there.
  choose(id, focus = true) {
    const row = this.find(id) ?? (focus ? this.rows[0] : undefined);
    this.current = row ? row.id : null;
    for (const item of this.region.querySelectorAll("[data-row]")) {
      const on = item.dataset.row === this.current;
      item.classList.toggle("row-current", on);
      if (this.current) item.tabIndex = on ? 0 : -1;
    }
    for (const piece of document.querySelectorAll("#difference .change")) {
      piece.classList.toggle("change-current", piece.dataset.change === this.current);
    }
    if (focus && row) {
      const item = this.element(row.id);
      item.focus({ preventScroll: true });
      item.scrollIntoView({ block: "nearest" });
    }
  }

  step(by) {
    if (!this.rows.length) return;
    const at = this.rows.findIndex((row) => row.id === this.current);
    const next = at < 0 ? (by > 0 ? 0 : this.rows.length - 1) : Math.min(this.rows.length - 1, Math.max(0, at + by));
    this.choose(this.rows[next].id);
  }

  say(id, values) {
    this.mine[id] = { ...this.said(id), ...values };
    this.decide(id, this.mine[id]);
  }

  act(id, decision) {
    const row = this.find(id);
    if (!row) return this.gone();
    if (this.text !== this.editor.text) {
      this.waiting = [id, decision];
      return this.fresh();
    }
    const { editor } = this;
    editor.step();
    if (decision === "accepted" && row.decision !== "accepted") editor.splice(row.start, row.end, row.taken);
    else if (decision === "rejected") editor.splice(row.start, row.end, row.left);
    this.say(id, { decision });
    editor.step();
    if (decision === "altered") editor.select(row.start, row.end);
    else this.after(id);
  }

  // The next row that nothing was said of yet.
  after(id) {
    const at = this.rows.findIndex((row) => row.id === id);
    const next = this.rows.slice(at + 1).find((row) => this.undecided(row.id));
    if (next && this.region.contains(document.activeElement)) this.choose(next.id);
  }

  mark(id, values) {
    const said = this.said(id).decision;
    const next = { ...this.said(id), ...values };
    const decision = said === "open" && (next.reason || next.note) ? "marked" : said === "marked" && !next.reason && !next.note ? "open" : said;
    this.editor.step();
    this.say(id, { ...values, decision });
    this.editor.step();
  }

  acceptRest() {
    this.editor.step();
    for (const row of this.rows) if (this.undecided(row.id)) this.say(row.id, { decision: row.decision });
    this.editor.step();
  }

  // Keys inside the list; a field keeps its own.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.isComposing) return;
    const field = event.target.matches("input, select");
    if (field) {
      if (event.key === "Escape") this.choose(this.current);
      return;
    }
    if (!event.altKey && this.command(event.key)) event.preventDefault();
  }

  // One command on the current row; true if the key is one.
  command(key) {
    const small = key.length === 1 ? key.toLowerCase() : key;
    if (small === "ArrowDown" || small === "j") this.step(1);
    else if (small === "ArrowUp" || small === "k") this.step(-1);
    else if (small === "Home") this.rows.length && this.choose(this.rows[0].id);
    else if (small === "End") this.rows.length && this.choose(this.rows.at(-1).id);
    else if (!this.current) return false;
    else if (small === "a") this.act(this.current, "accepted");
    else if (small === "r") this.act(this.current, "rejected");
    else if (small === "e") this.act(this.current, "altered");
    else if (small === "z") this.say(this.current, { decision: "open" });
    else if (small === "n") this.element(this.current)?.querySelector("[data-note]")?.focus();
    else if (/^[0-5]$/.test(small)) this.mark(this.current, { reason: ["", ...ChangeList.REASONS][Number(small)] });
    else return false;
    return true;
  }

  get state() {
    return JSON.stringify(this.mine);
  }

  // Go back to what was said at another time: each difference is said again.
  restore(state) {
    const then = JSON.parse(state || "{}");
    const now = this.mine;
    this.mine = then;
    for (const id of new Set([...Object.keys(then), ...Object.keys(now)])) {
      if (JSON.stringify(this.said(id)) !== JSON.stringify(now[id] ?? this.stored[id])) this.decide(id, this.said(id));
    }
  }
}
