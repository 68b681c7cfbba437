// The page's side of the desk. The server calls the functions of `desk`; the page answers with events.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const root = $("desk-root");
  const words = JSON.parse($("desk-words").textContent);
  const limit = Number(root.dataset.limit);
  const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // What is open: number and key of the draft, what the ledger holds of it, reasons written so far.
  let now = null;

  // -- to the server ------------------------------------------------------------------------------------------------

  const queue = [];
  function emit(name, values = {}) {
    queue.push([name, values]);
    flush();
  }
  function flush() {
    if (!window.did_handshake) {
      setTimeout(flush, 30);
      return;
    }
    while (queue.length) {
      const [name, values] = queue.shift();
      emitEvent(`desk_${name}`, values);
    }
  }

  // -- what this browser keeps ----------------------------------------------------------------------------------------

  const kept = {
    read: (key) => {
      try {
        return JSON.parse(localStorage.getItem(key));
      } catch {
        return null;
      }
    },
    write: (key, value) => {
      try {
        localStorage.setItem(key, JSON.stringify(value));
      } catch {
        /* a full or forbidden store must not stop the writer */
      }
    },
    drop: (key) => {
      try {
        localStorage.removeItem(key);
      } catch {
        /* as above */
      }
    },
  };
  const place = () => `tensaku.unsaved.${now.key}`;

  function keep() {
    if (!now) return;
    if (editor.text === now.known && JSON.stringify(now.reasons) === now.knownReasons) kept.drop(place());
    else {
      const { based_on, revision, reasons, version } = now;
      kept.write(place(), { text: editor.text, based_on, revision, reasons, version, at: Date.now() });
    }
    keepThere();
    tellState();
  }

  function tellState() {
    const unsaved = editor.text !== (now.saved ?? "") && editor.text.trim() !== "";
    const there = unsaved && now.keptAt && now.keptText === editor.text;
    root.dataset.unsaved = unsaved ? "yes" : "no";
    root.dataset.kept = there ? "yes" : "no";
    $("saved-state").textContent = there ? say("kept_there", { at: now.keptAt }) : unsaved ? words.kept_here : now.state;
  }

  // What is unsaved also goes to the ledger, one sending at a time, so that another browser can go on with it.
  const PAUSE = 600; // milliseconds without typing after which it is sent
  let pausing = 0;
  function keepThere() {
    clearTimeout(pausing);
    pausing = setTimeout(sendWork, PAUSE);
  }
  function sendWork() {
    if (!now || !person || now.asking || now.elsewhere) return;
    if (now.sending) return keepThere();
    const { draft, based_on, revision, reasons, version } = now;
    const text = editor.text;
    const told = JSON.stringify([text, reasons]);
    if (text === now.known && JSON.stringify(reasons) === now.knownReasons) {
      if (version) emit("drop", { draft, version });
    } else if (told !== now.told && text.length <= 2 * limit) {
      Object.assign(now, { sending: true, told, sentText: text });
      emit("keep", { draft, text, based_on, revision, reasons, version });
    }
  }

  // -- the editor -----------------------------------------------------------------------------------------------------

  const editor = new Editor($("editor"), $("mirror"), {
    changed: (text) => {
      if (!now) return;
      if (text.length <= 4 * limit) emit("text", { draft: now.draft, text, revision: now.revision });
      keep();
      if (text.length > 4 * limit) notice({ kind: "bad", message: say("error_long_text", { n: text.length.toLocaleString(), limit: (2 * limit).toLocaleString() }) });
    },
    stepped: () => {
      $("undo").disabled = !editor.past.length;
      $("redo").disabled = !editor.future.length;
    },
    state: () => list?.state ?? "{}",
    restore: (state) => list.restore(state),
  });

  const list = new ChangeList($("changes"), editor, {
    decide: (change, values) => {
      if (!now) return;
      root.dataset.deciding = String(++now.deciding);
      emit("decide", { draft: now.draft, change, revision: now.revision, ...values });
    },
    fresh: () => now && emit("text", { draft: now.draft, text: editor.text, revision: now.revision }),
    gone: () => notice({ message: words.change_gone }),
  });

  const merge = new Merge($("merge"), {
    say,
    done: (told, text) => {
      if (!now || now.draft !== told.draft) return;
      if (told.kind === "work") Object.assign(now, { version: told.version, elsewhere: false, told: "" });
      else Object.assign(now, { based_on: told.based_on, saved: told.text, known: told.text });
      editor.put(text);
      keep();
    },
  });

  function ask() {
    if (!now || now.asking) return;
    emit("ask", { draft: now.draft });
  }

  function save() {
    if (!now) return;
    editor.step();
    keep();
    const { draft, based_on, revision, reasons } = now;
    if (editor.text.length > 4 * limit) return editor.changed(editor.text);
    emit("save", { draft, based_on, revision, reasons, text: editor.text });
  }

  function setAsking(on) {
    if (now) now.asking = on;
    root.dataset.asking = on ? "yes" : "no";
    $("ask").hidden = on;
    $("stop").hidden = !on;
    $("writing").hidden = !on;
    $("writing-text").textContent = words.waiting;
    $("editor").setAttribute("aria-busy", String(on));
  }

  // -- regions ----------------------------------------------------------------------------------------------------------

  // Replace a region's HTML and leave the focus where it was.
  function show(id, html) {
    if (id === "saved-state") {
      now.state = html;
      keep();
      return;
    }
    replacing($(id), () => put(id, $(id), html));
  }

  function put(id, region, html) {
    if (region.lastHtml !== html) {
      const again = holdFocus(region);
      region.innerHTML = html;
      region.lastHtml = html;
      again();
    }
    if (id === "facts") {
      for (const input of region.querySelectorAll("[data-reason]")) input.value = now?.reasons[input.dataset.reason] ?? "";
    }
    if (id === "board") current();
  }

  function current() {
    for (const item of document.querySelectorAll(".item")) {
      if (now && Number(item.dataset.draft) === now.draft) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
    }
  }

  const { notice, hideNotice } = notices($("notice"), words);

  function conflict(told) {
    if (!now || now.draft !== told.draft) return;
    if (told.kind === "work") Object.assign(now, { elsewhere: true, sending: false });
    merge.open(told);
  }

  // -- what the server calls ------------------------------------------------------------------------------------------

  window.desk = {
    person: ({ name, display }) => {
      if (!name) return window.desk.who();
      $("person-name").textContent = display;
      root.dataset.person = "yes";
    },
    who: () => location.assign(`${document.documentElement.lang === "ja" ? "" : "/en"}/signin?next=${encodeURIComponent(location.pathname + location.search)}`),
    regions: (regions) => Object.entries(regions).forEach(([id, html]) => show(id, html)),
    open: (values) => {
      const { draft, key, text, based_on, revision, saved, asking, regions, draft_count } = values;
      hideNotice();
      const { work } = values;
      now = { draft, key, based_on, revision, saved, known: values.known, asking, state: "", streamed: "", style: [], deciding: 0 };
      if (asking) now.known = text;
      Object.assign(now, { version: work?.version ?? 0, keptAt: work?.at ?? null, keptText: work ? text : null });
      list.clear();
      root.dataset.deciding = "0";
      now.reasons = { ...values.reasons };
      now.knownReasons = work ? "" : JSON.stringify(now.reasons);
      now.told = work ? JSON.stringify([text, now.reasons]) : "";
      root.dataset.state = "open";
      const local = asking ? null : kept.read(place());
      setAsking(asking);
      if (asking) now.streamed = text;
      editor.open(text);
      $("draft-count").textContent = draft_count;
      $("out-draft").value = draft;
      for (const id of ["difference", "facts", "style"]) show(id, "");
      window.desk.beside({ draft, html: "", what: "" });
      window.desk.regions(regions);
      current();
      const address = new URL(location.href);
      address.searchParams.set("draft", draft);
      history.replaceState(history.state, "", address);
      $("language").search = address.search;
      if (local && typeof local.text === "string" && local.text !== text) restore(local, text);
      else if (work) {
        const discard = () => editor.put(now.known);
        notice({ message: say("notice_work", work), kind: "info", buttons: [[words.notice_discard, discard]] });
        if (work.based_on !== based_on) outdated(work.based_on);
      }
      keep();
      window.scrollTo(0, 0);
    },
    compared: (values) => {
      if (!now || values.draft !== now.draft) return;
      show("draft-text", values.draft_html);
      show("difference", values.difference_html);
      $("difference").dataset.empty = values.difference_html ? "" : values.difference_empty;
      show("facts", values.facts_html);
      now.style = values.style;
      now.comparedText = values.text;
      const facts = values.marks.map((mark) => [...mark, "fact"]);
      const style = values.style.map(({ start, end, text }) => [start, end, "", text, "style"]);
      editor.mark([...facts, ...style].sort((a, b) => a[0] - b[0] || (a[4] === "fact" ? -1 : 1)));
      show("style", values.style_html);
      $("style-count").textContent = values.style.length || "";
      $("style-all").hidden = values.style.filter(({ write }) => write !== null).length < 2;
      window.desk.listed({ ...values.list, text: values.text });
      for (const [id, text] of Object.entries(values.counts)) $(id).textContent = text;
      const badge = $("facts-badge");
      badge.hidden = !values.broken || now.asking;
      badge.textContent = values.badge;
      root.dataset.facts = values.broken && !now.asking ? "broken" : "kept";
    },
    listed: (values) => {
      if (!now || values.draft !== now.draft) return;
      $("decided").textContent = values.decided;
      list.show(values.changes, values.empty, values.text ?? list.text);
      $("accept-rest").hidden = !values.changes.some(({ id }) => list.undecided(id));
    },
    beside: ({ draft, html, what }) => {
      if (!now || draft !== now.draft) return;
      show("beside", html || words.beside_hint);
      $("beside").classList.toggle("quiet-text", !html);
      for (const tab of document.querySelectorAll("[data-beside]")) tab.setAttribute("aria-pressed", String(tab.dataset.beside === what));
    },
    candidates: ({ draft, html, shown }) => {
      if (!now || draft !== now.draft) return;
      const box = $("candidates");
      if (html === null) return box.close();
      now.shown = shown;
      show("candidates-body", html || words.candidates_wait);
      if (!box.open && !html) box.showModal();
    },
    chosen: ({ draft, revision, text }) => {
      if (!now || draft !== now.draft) return;
      $("candidates").close();
      Object.assign(now, { revision, known: text, told: "" });
      editor.put(text);
      keep();
    },
    decided: ({ draft }) => {
      if (!now || now.draft !== draft) return;
      root.dataset.deciding = String(--now.deciding);
    },
    kept: ({ draft, version, at }) => {
      if (!now || now.draft !== draft) return;
      Object.assign(now, { version, keptAt: at, keptText: at ? now.sentText : null, sending: false });
      keep();
    },
    keepFailed: ({ draft, detail }) => {
      if (!now || now.draft !== draft) return;
      Object.assign(now, { sending: false, keptAt: null });
      notice({ message: words.keep_failed, kind: "bad", detail });
      tellState();
    },
    asking: ({ draft }) => {
      if (!now || now.draft !== draft) return;
      hideNotice();
      setAsking(true);
      const had = editor.text.trim() && editor.text !== now.known;
      now.streamed = "";
      editor.put("");
      if (had) notice({ message: words.notice_replaced, kind: "info" });
    },
    append: ({ draft, text }) => {
      if (!now || now.draft !== draft) return;
      now.streamed += text;
      $("writing-text").textContent = words.writing;
      editor.append(text);
    },
    asked: ({ draft, revision }) => {
      if (!now || now.draft !== draft) return;
      setAsking(false);
      if (revision) Object.assign(now, { revision, known: now.streamed, told: "" });
      editor.step();
      keep();
      emit("text", { draft, text: editor.text, revision: now.revision });
    },
    saved: ({ draft, based_on, text }) => {
      if (!now || now.draft !== draft) return;
      Object.assign(now, { based_on, saved: text, known: text, knownReasons: JSON.stringify(now.reasons) });
      Object.assign(now, { version: 0, keptAt: null, keptText: null, told: "" });
      keep();
    },
    conflict,
    reasons: ({ keys }) => {
      $("facts-card").scrollIntoView({ block: "nearest" });
      const inputs = keys.map((key) => document.querySelector(`[data-reason="${CSS.escape(key)}"]`)).filter(Boolean);
      for (const input of inputs) input.setAttribute("aria-invalid", "true");
      inputs[0]?.focus();
    },
    notice,
    newFault: ({ field, message }) => {
      $("new-fault").textContent = message;
      $("new-fault").hidden = false;
      $("new-form").elements[field]?.focus();
    },
    newDone: () => {
      $("new-form").reset();
      $("new").close();
    },
    newText: ({ text }) => {
      $("new-fault").hidden = true;
      $("new-form").elements.text.value = text;
      $("new-form").dataset.file = "yes";
    },
  };

  // What this browser still has and the ledger has not: it goes back into the editor, one step of undo from the ledger's.
  function restore(local, text) {
    if ((local.version ?? 0) !== now.version) {
      editor.open(local.text);
      editor.put(text);
      notice({ message: say("notice_work", { at: now.keptAt ?? "" }), kind: "info", buttons: [[words.notice_discard, () => editor.put(now.known)]] });
      return;
    }
    now.reasons = local.reasons ?? now.reasons;
    editor.put(local.text);
    if (local.based_on !== now.based_on) outdated(local.based_on ?? null);
    else notice({ message: words.notice_restored, kind: "info", buttons: [[words.notice_discard, () => editor.put(now.known)]] });
  }

  // The text follows an older final than the newest: both are brought together.
  function outdated(based_on) {
    now.based_on = based_on;
    emit("merge", { draft: now.draft, text: editor.text, based_on, revision: now.revision });
  }

  // -- what the writer does ---------------------------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const target = event.target.closest("button, [data-draft]");
    if (!target) return;
    if (target.matches(".item")) {
      // A link, so that a click before this script had loaded opens the draft as well, and another window can be had.
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      emit("open", { draft: Number(target.dataset.draft) });
    } else if (target.hasAttribute("data-clear")) emit("filter", {});
    else if (target.dataset.show) reveal(target.dataset.show, target.dataset.key);
    else if (target.dataset.use) use(target);
    else if (target.dataset.choose) emit("choose", { draft: now.draft, shown: now.shown, chosen: Number(target.dataset.choose) });
    else if (target.dataset.beside) beside(target.dataset.beside);
    else if (target.hasAttribute("data-take-past")) editor.put(target.nextElementSibling.content.textContent);
    else if (target.dataset.fix) fix([now.style[Number(target.dataset.fix)]]);
    else if (target.dataset.find) locate(now.style[Number(target.dataset.find)]);
    else if (target.dataset.require) editor.put(`${editor.text.trimEnd()}\n${target.dataset.require}`);
  });

  function beside(what) {
    if (!now) return;
    if (what === "why" && !list.current) return notice({ message: words.beside_pick, kind: "info" });
    emit("beside", { draft: now.draft, what, change: list.current, revision: now.revision });
  }

  // House style: put right what still stands where the rule saw it.
  function fix(places) {
    const there = places.filter((one) => one && one.write !== null && editor.text.slice(one.start, one.end) === one.text);
    editor.step();
    let before = Infinity;
    for (const { start, end, write } of there.toSorted((a, b) => b.start - a.start)) {
      if (end > before) continue; // it reaches into one that was just put right
      editor.splice(start, end, write);
      before = start;
    }
    editor.step();
  }
  function locate(one) {
    if (one && editor.text.slice(one.start, one.end) === one.text) editor.select(one.start, one.end);
  }

  function reveal(what, key) {
    if (what === "added") {
      const mark = editor.marks.find(([start, end, k, was]) => k === key && editor.text.slice(start, end) === was);
      if (!mark) return;
      $("editor").focus();
      $("editor").setSelectionRange(mark[0], mark[1]);
    }
    const pane = what === "added" ? $("mirror") : $("draft-text");
    const found = pane.querySelector(`[data-fact="${CSS.escape(key)}"]`);
    found?.scrollIntoView({ block: "center", behavior: "smooth" });
    found?.classList.add("found");
    setTimeout(() => found?.classList.remove("found"), 1600);
  }

  function use(button) {
    const text = button.closest("details").querySelector("[data-version]").textContent;
    if (button.dataset.use === "revision") now.revision = Number(button.dataset.id);
    editor.put(text);
    $("editor").focus();
    window.scrollTo({ top: 0, behavior: "smooth" });
  }

  $("board").addEventListener("change", () => {
    const values = {};
    for (const select of $("board").querySelectorAll("[data-filter]")) values[select.dataset.filter] = select.value;
    emit("filter", values);
  });
  $("facts").addEventListener("input", (event) => {
    const input = event.target.closest("[data-reason]");
    if (!input || !now) return;
    now.reasons[input.dataset.reason] = input.value;
    input.removeAttribute("aria-invalid");
    keep();
  });
  $("ask").addEventListener("click", ask);
  $("stop").addEventListener("click", () => now && emit("stop", { draft: now.draft }));
  $("save").addEventListener("click", save);
  $("undo").addEventListener("click", () => editor.undo());
  $("redo").addEventListener("click", () => editor.redo());
  $("facts-badge").addEventListener("click", () => $("facts-card").scrollIntoView({ block: "nearest", behavior: "smooth" }));

  $("style-all").addEventListener("click", () => now && fix(now.style));
  $("several").addEventListener("click", () => now && !now.asking && emit("candidates", { draft: now.draft, n: 3 }));
  $("candidates-close").addEventListener("click", () => $("candidates").close());
  $("accept-rest").addEventListener("click", () => now && list.acceptRest());
  document.addEventListener("click", (event) => event.target.closest("#out") || $("out").removeAttribute("open"));
  $("out").addEventListener("keydown", (event) => event.key === "Escape" && $("out").removeAttribute("open"));
  for (const id of ["help-open", "help-close"]) $(id).addEventListener("click", help);
  function help() {
    $("help").open ? $("help").close() : $("help").showModal();
  }

  // Alt with a key does anywhere what the key alone does in the list.
  const ANYWHERE = { ArrowDown: "ArrowDown", ArrowUp: "ArrowUp", KeyJ: "j", KeyK: "k", KeyA: "a", KeyR: "r", KeyE: "e", KeyN: "n", KeyZ: "z" };
  document.addEventListener("keydown", (event) => {
    const field = event.target.matches?.("input, textarea, select");
    if (event.key === "F1" || (event.key === "?" && !field && !event.isComposing)) {
      event.preventDefault();
      help();
    } else if (now && event.altKey && !event.ctrlKey && !event.metaKey && !document.querySelector("dialog[open]")) {
      const key = ANYWHERE[event.code] ?? event.code.match(/^Digit([0-5])$/)?.[1];
      if (event.code === "KeyF") fix([now.style.find(({ write }) => write !== null)]);
      else if (!key || !list.command(key)) return;
      event.preventDefault();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.isComposing || document.querySelector("dialog[open]")) return;
    const steps = { z: event.shiftKey ? "redo" : "undo", y: "redo" }[event.key.toLowerCase()];
    if (steps && now && !event.target.matches("input, textarea")) {
      event.preventDefault();
      editor[steps]();
      return;
    }
    if (event.key === "Enter") {
      event.preventDefault();
      ask();
    } else if (event.key.toLowerCase() === "s") {
      event.preventDefault();
      save();
    }
  });

  // -- a new draft --------------------------------------------------------------------------------------------------------

  const form = $("new-form");
  $("new-draft").addEventListener("click", () => {
    $("new-fault").hidden = true;
    $("new").showModal();
  });
  $("new-cancel").addEventListener("click", () => $("new").close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    if (values.text.length > 5 * limit) {
      const sizes = { n: values.text.length.toLocaleString(), limit: limit.toLocaleString() };
      window.desk.newFault({ field: "text", message: say("fault_long", sizes) });
    } else emit("new", { ...values, from_file: form.dataset.file === "yes" });
  });
  form.addEventListener("reset", () => delete form.dataset.file);
  $("new-file").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    event.target.value = "";
    if (!file) return;
    if (file.size > 400_000) {
      const sizes = { n: Math.round(file.size / 1000).toLocaleString(), limit: 400 };
      window.desk.newFault({ field: "text", message: say("fault_file_large", sizes) });
      return;
    }
    let bytes = "";
    for (const byte of new Uint8Array(await file.arrayBuffer())) bytes += String.fromCharCode(byte);
    emit("file", { name: file.name, data: btoa(bytes) });
  });

  const asked = new URL(location.href).searchParams.get("draft");
  emit("hello", { draft: /^\d{1,9}$/.test(asked ?? "") ? Number(asked) : null });
})();
