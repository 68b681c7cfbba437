// The editor: a textarea over a mirror of its text that carries the marks.
// Text that the model writes is appended in the browser, so the caret stays where the writer has put it and an input
// method that is composing is never disturbed. Undo is our own: the browser's forgets what a script has written.
"use strict";

class Editor {
  static PAUSE = 500; // milliseconds without typing after which a step of undo ends
  static BEAT = 120; // milliseconds between two reports of the text

  constructor(area, mirror, { changed, stepped }) {
    this.area = area;
    this.mirror = mirror;
    this.changed = changed;
    this.stepped = stepped;
    this.marks = [];
    this.past = [];
    this.future = [];
    this.last = "";
    this.waiting = "";
    this.composing = false;
    this.reporting = 0;
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
    this.last = text;
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
      this.reporting = setTimeout(() => {
        this.reporting = 0;
        this.changed(this.text);
      }, Editor.BEAT);
    }
    clearTimeout(this.pausing);
    this.pausing = setTimeout(() => this.step(), Editor.PAUSE);
  }

  // End a step of undo.
  step() {
    clearTimeout(this.pausing);
    if (this.text !== this.last) {
      this.past.push(this.last);
      if (this.past.length > 200) this.past.shift();
      this.last = this.text;
      this.future = [];
    }
    this.stepped();
  }

  undo() {
    this.step();
    if (!this.past.length) return;
    this.future.push(this.last);
    this.last = this.past.pop();
    this.replace(this.last);
    this.stepped();
  }

  redo() {
    this.step();
    if (!this.future.length) return;
    this.past.push(this.last);
    this.last = this.future.pop();
    this.replace(this.last);
    this.stepped();
  }

  // Marks are [start, end, key, text]; one whose text has moved meanwhile is not drawn.
  mark(marks) {
    this.marks = marks;
    this.draw();
  }

  draw() {
    const text = this.text;
    const nodes = [];
    let at = 0;
    for (const [start, end, key, was] of this.marks) {
      if (start < at || text.slice(start, end) !== was) continue;
      nodes.push(document.createTextNode(text.slice(at, start)));
      const mark = document.createElement("mark");
      mark.className = "fact";
      mark.dataset.fact = key;
      mark.textContent = text.slice(start, end);
      nodes.push(mark);
      at = end;
    }
    // The last line counts for the height even while it is empty.
    nodes.push(document.createTextNode(text.slice(at) + "\n"));
    this.mirror.replaceChildren(...nodes);
  }
}
