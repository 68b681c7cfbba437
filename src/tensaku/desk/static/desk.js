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
      const { based_on, revision, reasons } = now;
      kept.write(place(), { text: editor.text, based_on, revision, reasons, at: Date.now() });
    }
    const unsaved = editor.text !== (now.saved ?? "") && editor.text.trim() !== "";
    root.dataset.unsaved = unsaved ? "yes" : "no";
    $("saved-state").textContent = unsaved ? words.kept_here : now.state;
  }

  // -- the editor -----------------------------------------------------------------------------------------------------

  const editor = new Editor($("editor"), $("mirror"), {
    changed: (text) => {
      if (!now) return;
      keep();
      if (text.length <= 4 * limit) emit("text", { draft: now.draft, text });
      else notice({ kind: "bad", message: say("error_long_text", { n: text.length.toLocaleString(), limit: (2 * limit).toLocaleString() }) });
    },
    stepped: () => {
      $("undo").disabled = !editor.past.length;
      $("redo").disabled = !editor.future.length;
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
    const region = $(id);
    if (region.lastHtml !== html) {
      const active = region.contains(document.activeElement) ? document.activeElement : null;
      const again = active && ["data-filter", "data-reason", "data-draft"].find((name) => active.hasAttribute(name));
      const selector = again && `[${again}="${CSS.escape(active.getAttribute(again))}"]`;
      const caret = active && active.selectionStart;
      region.innerHTML = html;
      region.lastHtml = html;
      const next = selector && region.querySelector(selector);
      if (next) {
        next.focus({ preventScroll: true });
        if (typeof caret === "number" && next.setSelectionRange) next.setSelectionRange(caret, caret);
      }
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

  // A message over the panes: text, and buttons that answer it.
  let fading = 0;
  function notice({ message, kind = "warn", detail = "", buttons = [] }) {
    const box = $("notice");
    clearTimeout(fading);
    box.replaceChildren();
    const text = document.createElement("p");
    text.textContent = message;
    box.append(text);
    if (detail) {
      const more = document.createElement("details");
      const summary = document.createElement("summary");
      summary.textContent = words.detail;
      const body = document.createElement("p");
      body.textContent = detail;
      more.append(summary, body);
      box.append(more);
    }
    for (const [label, act] of buttons) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "link";
      button.textContent = label;
      button.addEventListener("click", () => {
        hideNotice();
        act();
      });
      box.append(button);
    }
    const close = document.createElement("button");
    close.type = "button";
    close.className = "close";
    close.setAttribute("aria-label", words.close);
    close.textContent = "×";
    close.addEventListener("click", hideNotice);
    box.append(close);
    box.dataset.kind = kind;
    box.hidden = false;
    if (kind === "good") fading = setTimeout(hideNotice, 4000);
    else if (kind === "info" && !buttons.length) fading = setTimeout(hideNotice, 9000);
  }
  function hideNotice() {
    clearTimeout(fading);
    $("notice").hidden = true;
  }

  function conflict({ draft, message, based_on, text }) {
    if (!now || now.draft !== draft) return;
    const mine = () => {
      now.based_on = based_on;
      now.saved = text;
      keep();
    };
    const theirs = () => {
      mine();
      now.known = text;
      editor.put(text);
    };
    notice({ message, kind: "warn", buttons: [[words.notice_keep_mine, mine], [words.notice_use_theirs, theirs]] });
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
      now = { draft, key, based_on, revision, saved, known: text, asking, state: "", streamed: "" };
      now.reasons = { ...values.reasons };
      now.knownReasons = JSON.stringify(now.reasons);
      root.dataset.state = "open";
      const local = asking ? null : kept.read(place());
      setAsking(asking);
      if (asking) now.streamed = text;
      editor.open(text);
      $("draft-count").textContent = draft_count;
      for (const id of ["difference", "facts"]) show(id, "");
      window.desk.regions(regions);
      current();
      const address = new URL(location.href);
      address.searchParams.set("draft", draft);
      history.replaceState(history.state, "", address);
      $("language").search = address.search;
      if (local && typeof local.text === "string") restore(local, text);
      keep();
      window.scrollTo(0, 0);
    },
    compared: (values) => {
      if (!now || values.draft !== now.draft) return;
      show("draft-text", values.draft_html);
      show("difference", values.difference_html);
      $("difference").dataset.empty = values.difference_html ? "" : values.difference_empty;
      show("facts", values.facts_html);
      editor.mark(values.marks);
      for (const [id, text] of Object.entries(values.counts)) $(id).textContent = text;
      const badge = $("facts-badge");
      badge.hidden = !values.broken || now.asking;
      badge.textContent = values.badge;
      root.dataset.facts = values.broken && !now.asking ? "broken" : "kept";
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
      if (revision) {
        now.revision = revision;
        now.known = now.streamed;
      }
      editor.step();
      keep();
      emit("text", { draft, text: editor.text });
    },
    saved: ({ draft, based_on, text }) => {
      if (!now || now.draft !== draft) return;
      Object.assign(now, { based_on, saved: text, known: text, knownReasons: JSON.stringify(now.reasons) });
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

  function restore(local, text) {
    now.reasons = local.reasons ?? now.reasons;
    if (local.text === text) return;
    const discard = () => editor.put(text);
    editor.put(local.text);
    if (local.based_on !== now.based_on) {
      const newer = now.based_on;
      now.based_on = local.based_on ?? null;
      const saved = now.saved ?? "";
      const message = $("history").querySelector(".event-final summary")?.textContent.replace(/\s+/g, " ").trim() ?? "";
      conflict({ draft: now.draft, message: `${words.notice_restored} (${message})`, based_on: newer, text: saved });
    } else notice({ message: words.notice_restored, kind: "info", buttons: [[words.notice_discard, discard]] });
  }

  // -- what the writer does ---------------------------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const target = event.target.closest("button, [data-draft]");
    if (!target) return;
    if (target.matches(".item")) emit("open", { draft: Number(target.dataset.draft) });
    else if (target.hasAttribute("data-clear")) emit("filter", {});
    else if (target.dataset.show) reveal(target.dataset.show, target.dataset.key);
    else if (target.dataset.use) use(target);
  });

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

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.isComposing || document.querySelector("dialog[open]")) return;
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
