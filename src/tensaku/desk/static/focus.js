// The focus where it was, though what it stood in is another element now.
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
