// The month-end page: filters act at once, the selection counts itself, the bulk's progress is asked for.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const pick = $("pick");
  if (!pick) return;
  pick.querySelector("[data-noscript]").hidden = true;
  pick.addEventListener("change", () => pick.requestSubmit());

  const boxes = () => [...document.querySelectorAll("#rows [name=draft]")];
  function count() {
    const all = boxes();
    const n = all.filter((box) => box.checked).length;
    if ($("count")) $("count").textContent = $("count").dataset.words.replace("{n}", n);
    for (const button of document.querySelectorAll("[data-needs]")) button.disabled = !n;
    if ($("every")) {
      $("every").checked = n > 0 && n === all.length;
      $("every").indeterminate = n > 0 && n < all.length;
    }
  }
  $("work").addEventListener("change", (event) => {
    if (event.target.id === "every") for (const box of boxes()) box.checked = event.target.checked;
    count();
  });
  count();

  const bulk = $("bulk");
  async function ask() {
    let next = 1500;
    try {
      const answer = await fetch(location.pathname + "/progress", { cache: "no-store" });
      if (answer.redirected || answer.status === 401) return location.reload();
      const now = await answer.json();
      $("bulk-bar").style.width = `${(100 * now.done) / now.total}%`;
      $("bulk-bar").parentElement.setAttribute("aria-valuenow", now.done);
      $("bulk-words").textContent = now.words;
      const chosen = boxes().some((box) => box.checked) || document.activeElement?.closest(".acts");
      if (now.ended) return location.replace(without("told"));
      if (now.done - Number(bulk.dataset.done) >= 5 && !chosen) await fresh(now.done);
    } catch {
      next = 4000; // the server may be starting again
    }
    setTimeout(ask, next);
  }
  function without(name) {
    const address = new URL(location.href);
    address.searchParams.delete(name);
    return address;
  }
  async function fresh(done) {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    for (const name of ["#rows", ".sum"]) {
      const made = page.querySelector(name);
      const put = () => {
        document.querySelector(name).replaceWith(made);
        count();
      };
      if (made) replacing(document.querySelector(name), put);
    }
    bulk.dataset.done = done;
  }
  if (bulk?.dataset.running === "yes") setTimeout(ask, 800);
})();
