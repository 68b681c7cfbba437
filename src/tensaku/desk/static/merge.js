// Two versions of one comment side by side in one text; each difference is chosen, none is lost in silence.
"use strict";

class Merge {
  constructor(dialog, { say, done }) {
    this.dialog = dialog;
    this.say = say;
    this.done = done;
    this.body = dialog.querySelector("[data-merge-body]");
    dialog.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.side) this.set(Number(button.dataset.hunk), button.dataset.side);
      else if (button.dataset.all) this.hunks.forEach((hunk, n) => hunk.side === "both" || this.set(n, button.dataset.all));
      else if (button.hasAttribute("data-merge-later")) dialog.close();
      else if (button.hasAttribute("data-merge-done")) {
        dialog.close();
        this.done(this.told, this.result);
      }
    });
  }

  open(told) {
    this.told = told;
    this.hunks = told.hunks.map((hunk) => ({ ...hunk }));
    this.dialog.querySelector("[data-merge-message]").textContent = told.message;
    this.body.replaceChildren(...this.hunks.map((hunk, n) => this.piece(hunk, n)));
    this.count();
    if (!this.dialog.open) this.dialog.showModal();
    this.body.querySelector("button")?.focus();
  }

  piece(hunk, n) {
    if (hunk.side === "both") return document.createTextNode(hunk.mine);
    const box = document.createElement("span");
    box.className = "hunk";
    box.dataset.at = n;
    box.dataset.chosen = hunk.side;
    for (const [side, word] of [["theirs", "merge_theirs"], ["mine", "merge_mine"]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.side = side;
      button.dataset.hunk = n;
      button.setAttribute("aria-pressed", String(hunk.side === side));
      const label = document.createElement("small");
      label.textContent = this.say(word);
      const text = document.createElement("span");
      text.textContent = hunk[side] || this.say("nothing");
      if (!hunk[side]) text.className = "void";
      button.append(label, text);
      box.append(button);
    }
    return box;
  }

  set(n, side) {
    this.hunks[n].side = side;
    const box = this.body.querySelector(`[data-at="${n}"]`);
    box.dataset.chosen = side;
    for (const button of box.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.side === side));
    this.count();
  }

  count() {
    const left = this.hunks.filter((hunk) => hunk.side === "open").length;
    this.dialog.querySelector("[data-merge-left]").textContent = left ? this.say("merge_open", { n: left }) : this.say("merge_ready");
    this.dialog.querySelector("[data-merge-done]").disabled = left > 0;
  }

  get result() {
    return this.hunks.map((hunk) => (hunk.side === "theirs" ? hunk.theirs : hunk.mine)).join("");
  }
}
