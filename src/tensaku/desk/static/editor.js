// The editor: a textarea over a mirror of its text that carries the marks.
// Text that the model writes is appended in the browser, so the caret stays where the writer has put it and an input
// method that is composing is never disturbed. Undo is our own: the browser's forgets what a script has written. A step
// of it is the text with what was decided on it.
"use strict";

class Editor {
  static PAUSE = 500; // milliseconds without typing after which a step of undo ends
  static BEAT = 50; // milliseconds between two reports of the text

  constructor(area, mirror, { changed, stepped, state = () => "", restore = () => {} }) {
    this.area = area;
    this.mirror = mirror;
    this.changed = changed;
    this.stepped = stepped;
    this.state = state;
    this.restore = restore;
    this.marks = [];
    this.past = [];
    this.future = [];
    this.last = { text: "", state: "" };
    this.waiting = "";
    this.composing = false;
    this.reporting = 0;
    this.reported = -Infinity;
    this.pausing = 0;
    area.addEventListener("input", () => this.typed());
    area.addEventListener("compositionstart", () => (this.composing = true));
    area.addEventListener("compositionend", () => {
      this.composing = false;
      const waiting = this.waiting;
      this.waiting = "";
      if (waiting) this.append(waiting);
      this.typed();
    });
    area.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.isComposing) return;
      const key = event.key.toLowerCase();
      if (key === "z" || key === "y") {
        event.preventDefault();
        key === "y" || event.shiftKey ? this.redo() : this.undo();
      }
    });
  }

  get text() {
    return this.area.value;
  }

  // A new text with a history of its own.
  open(text) {
    this.area.value = text;
    this.area.setSelectionRange(0, 0);
    this.past = [];
    this.future = [];
    this.last = { text, state: this.state() };
    this.waiting = "";
    this.marks = [];
    this.draw();
    this.stepped();
  }

  // Another text as one step of undo; only the part that differs is touched.
  put(text) {
    this.step();
    this.replace(text);
    this.step();
  }

  // A stretch of the text replaced, without a step of undo of its own.
  splice(start, end, wording) {
    if (this.area.value.slice(start, end) === wording) return;
    this.area.setRangeText(wording, start, end, "preserve");
    this.typed();
  }

  select(start, end) {
    this.area.focus();
    this.area.setSelectionRange(start, end);
  }

  append(text) {
    if (this.composing) {
      this.waiting += text;
      return;
    }
    const end = this.area.value.length;
    this.area.setRangeText(text, end, end, "preserve");
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
  }

  replace(text) {
    const old = this.area.value;
    let start = 0;
    const shorter = Math.min(old.length, text.length);
    while (start < shorter && old[start] === text[start]) start++;
    let tail = 0;
    while (tail < shorter - start && old[old.length - 1 - tail] === text[text.length - 1 - tail]) tail++;
    this.area.setRangeText(text.slice(start, text.length - tail), start, old.length - tail, "end");
    this.typed();
  }

  typed() {
    this.draw();
    if (!this.reporting && !this.composing) {
      // A letter after a rest goes at once; of those that follow closely, one report a beat.
      const rest = this.reported + Editor.BEAT - performance.now();
      if (rest > 0) this.reporting = setTimeout(() => this.report(), rest);
      else this.report();
    }
    clearTimeout(this.pausing);
    this.pausing = setTimeout(() => this.step(), Editor.PAUSE);
  }

  report() {
    this.reporting = 0;
    this.reported = performance.now();
    this.changed(this.text);
  }

  // End a step of undo.
  step() {
    clearTimeout(this.pausing);
    const here = { text: this.text, state: this.state() };
    if (here.text !== this.last.text || here.state !== this.last.state) {
      this.past.push(this.last);
      if (this.past.length > 200) this.past.shift();
      this.last = here;
      this.future = [];
    }
    this.stepped();
  }

  undo() {
    this.step();
    this.go(this.past, this.future);
  }

  redo() {
    this.step();
    this.go(this.future, this.past);
  }

  go(from, to) {
    if (!from.length) return;
    to.push(this.last);
    this.last = from.pop();
    if (this.last.text !== this.text) this.replace(this.last.text);
    this.restore(this.last.state);
    this.stepped();
  }

  // Marks are [start, end, key, text, kind]; one whose text has moved meanwhile, or that reaches into another, is not drawn.
  mark(marks) {
    this.marks = marks;
    this.draw();
  }

  draw() {
    const text = this.text;
    const nodes = [];
    let at = 0;
    for (const [start, end, key, was, kind] of this.marks) {
      if (start < at || text.slice(start, end) !== was) continue;
      nodes.push(document.createTextNode(text.slice(at, start)));
      const mark = document.createElement("mark");
      mark.className = kind;
      if (kind === "fact") mark.dataset.fact = key;
      mark.textContent = text.slice(start, end);
      nodes.push(mark);
      at = end;
    }
    // The last line counts for the height even while it is empty.
    nodes.push(document.createTextNode(text.slice(at) + "\n"));
    this.mirror.replaceChildren(...nodes);
  }
}
