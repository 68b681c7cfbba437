// The focus where it was, though what it stood in is another element now; and a press that ends on what it began on.
"use strict";

// Notes where the focus stands in a region; what is returned sets it there again, with what was typed in a note.
function holdFocus(region) {
  const active = region.contains(document.activeElement) ? document.activeElement : null;
  const names = ["data-filter", "data-reason", "data-draft", "data-why", "data-note", "data-row", "data-do"];
  const again = active && names.find((name) => active.hasAttribute(name));
  const row = again === "data-do" ? `[data-row="${CSS.escape(active.closest("[data-row]").dataset.row)}"] ` : "";
  const selector = again && `${row}[${again}="${CSS.escape(active.getAttribute(again))}"]`;
  const typed = again === "data-note" ? active.value : null;
  const caret = active && active.selectionStart;
  return () => {
    const next = selector && region.querySelector(selector);
    if (!next || next === document.activeElement) return;
    next.focus({ preventScroll: true });
    if (typed !== null) next.value = typed;
    if (typeof caret === "number" && next.setSelectionRange) next.setSelectionRange(caret, caret);
  };
}

// A browser makes no click of a press whose element was replaced before it was let go: what would replace it waits.
let pressed = null;
let waiting = []; // regions and what replaces their content, in order
document.addEventListener("pointerdown", (event) => (pressed = event.target.closest?.("a, button") ?? null), true);
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => setTimeout(release), true); // after the click, which follows in the same task
}
function release() {
  pressed = null;
  const all = waiting;
  waiting = [];
  for (const [, replace] of all) replace();
}

// Replace what stands in a region: at once, or when the button or link pressed in it has been let go.
function replacing(region, replace) {
  if (pressed && region.contains(pressed)) waiting.push([region, replace]);
  else replace();
}

// What waits for a region is of no use any more.
function forgetReplacing(region) {
  waiting = waiting.filter(([waits]) => waits !== region);
}
