/* The page of questions: what is typed goes to the server, answers come sentence by sentence, a number opens its source. */
"use strict";
(() => {
  const root = document.getElementById("chat-root");
  if (!root) return;
  const by = (id) => document.getElementById(id);
  const box = by("question"), send = by("send"), fault = by("chat-fault");
  const turns = new Map();
  let busy = false;

  const free = () => { busy = false; send.disabled = false; };
  const answerOf = (id) => turns.get(id) && turns.get(id).querySelector(".turn-answer");
  const settle = (id) => { const line = answerOf(id) && answerOf(id).querySelector(".searching"); if (line) line.remove(); };
  const toEnd = () => { root.querySelector(".talk").scrollTop = 1e9; };
  const ask = () => {
    const text = box.value.trim();
    if (!text || busy) { box.focus(); return; }
    busy = true; send.disabled = true; fault.hidden = true;
    emitEvent("chat_ask", { text });
  };
  by("asking").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) { event.preventDefault(); ask(); }
  });
  by("again").addEventListener("click", () => {
    emitEvent("chat_again", {});
    turns.clear();
    by("turns").replaceChildren();
    by("again").hidden = true; by("chat-lead").hidden = false;
    box.focus();
  });
  root.addEventListener("click", (event) => {
    const cite = event.target.closest("[data-open]");
    if (cite) { emitEvent("chat_open", { id: Number(cite.dataset.open), cite: Number(cite.dataset.cite) }); return; }
    const verdict = event.target.closest("[data-verdict]");
    if (!verdict) return;
    const opinion = verdict.closest("[data-opinion]"), form = opinion.querySelector(".correction");
    for (const one of opinion.querySelectorAll("[data-verdict]")) one.setAttribute("aria-pressed", String(one === verdict));
    form.hidden = verdict.dataset.verdict !== "down";
    if (form.hidden) emitEvent("chat_judge", { id: Number(opinion.dataset.opinion), verdict: "up" });
    else { form.querySelector("textarea").focus(); opinion.scrollIntoView({ block: "center" }); }
  });
  root.addEventListener("submit", (event) => {
    const form = event.target.closest(".correction");
    if (!form) return;
    event.preventDefault();
    const opinion = form.closest("[data-opinion]");
    emitEvent("chat_judge", { id: Number(opinion.dataset.opinion), verdict: "down", correction: form.querySelector("textarea").value });
  });
  window.chat = {
    asked({ id, text }) {
      const turn = by("turn").content.firstElementChild.cloneNode(true);
      turn.querySelector(".turn-question").textContent = text;
      by("turns").append(turn);
      turns.set(id, turn);
      box.value = ""; by("again").hidden = false; by("chat-lead").hidden = true;
      toEnd();
    },
    said({ id, html }) { settle(id); if (answerOf(id)) answerOf(id).insertAdjacentHTML("beforeend", html); toEnd(); },
    ended({ id, html }) { settle(id); if (answerOf(id)) answerOf(id).insertAdjacentHTML("beforeend", html); toEnd(); free(); },
    failed({ id }) { if (turns.get(id)) turns.get(id).remove(); free(); },
    fault({ text }) { fault.textContent = text; fault.hidden = false; free(); },
    judged({ id, text }) {
      const opinion = root.querySelector(`[data-opinion="${Number(id)}"]`);
      if (!opinion) return;
      opinion.querySelector(".correction").hidden = true;
      opinion.querySelector(".opinion-told").textContent = text;
    },
    viewer({ html }) {
      const viewer = by("viewer");
      viewer.innerHTML = html;
      const here = viewer.querySelector("mark.cited") || viewer.querySelector(".here");
      if (here) here.scrollIntoView({ block: "center" });
    },
  };
  box.focus();
})();
