/* Reports: dropped or chosen files go up one after the other; what waits is decided here. Also loaded by the list of drafts. */
"use strict";
(() => {
  const root = document.getElementById("inbox");
  const here = root || document.getElementById("desk-root");
  if (!here) return;
  const language = here.dataset.language;
  const $ = (id) => document.getElementById(id);
  const words = root ? JSON.parse($("inbox-words").textContent) : {};
  const home = language === "en" ? "/en/inbox" : "/inbox";

  const person = () => {
    try {
      return JSON.parse(localStorage.getItem("tensaku.person")) || "";
    } catch {
      return "";
    }
  };

  async function post(path, body) {
    const url = new URL(path, location.origin);
    url.searchParams.set("language", language);
    const headers = { "x-tensaku-desk": "1", "x-tensaku-person": encodeURI(person()) };
    const plain = body instanceof Blob ? body : JSON.stringify(body);
    try {
      const answer = await fetch(url, { method: "POST", headers, body: plain });
      const found = await answer.json();
      return answer.ok ? { found } : { error: found.error || words.broken };
    } catch {
      return { error: words.broken };
    }
  }

  // -- bringing in ---------------------------------------------------------------------------------------------------

  async function within(entry, found) {
    if (entry.isFile) found.push(await new Promise((done, failed) => entry.file(done, failed)));
    else if (entry.isDirectory) {
      const reader = entry.createReader();
      for (let more = true; more; ) {
        const entries = await new Promise((done, failed) => reader.readEntries(done, failed));
        for (const inner of entries) await within(inner, found);
        more = entries.length > 0; // a reader hands out a hundred at a time
      }
    }
  }

  async function dropped(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    const files = [...transfer.files];
    if (!entries.length) return files;
    const found = [];
    for (const entry of entries) await within(entry, found);
    return found;
  }

  const LINES = "tensaku.arrivals"; // what came of the last files, shown once more on the page that follows

  function line(name, what = "", state = "", detail = "") {
    const item = document.createElement("li");
    for (const [tag, text] of [["b", name], ["span", state], ["small", detail]]) {
      item.append(Object.assign(document.createElement(tag), { textContent: text }));
    }
    item.dataset.what = what;
    if (root) $("arrivals").append(item);
    return item;
  }

  async function take(files) {
    const wanted = files.filter((file) => !file.name.startsWith(".") && !file.name.startsWith("~$"));
    const lines = [];
    const rows = [];
    for (const file of wanted) {
      const reading = line(file.name, "", words.reading || "");
      const { found, error } = await post(`/desk/reports?name=${encodeURIComponent(file.name)}`, file);
      reading.remove();
      if (error && !root) return error;
      const told = error
        ? [[file.name, "failed", words.failed, error]]
        : found.map((row) => [row.name, row.what, row.state, row.detail.join("、")]);
      for (const one of told) line(...one);
      lines.push(...told);
      rows.push(...(found || []));
    }
    if (!rows.length) return null;
    sessionStorage.setItem(LINES, JSON.stringify(lines));
    const to = rows.find((row) => row.what === "inbox") || rows[0];
    location.assign(`${home}?report=${to.id}`);
    return null;
  }

  let depth = 0;
  const withFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  document.addEventListener("dragenter", (event) => { if (withFiles(event)) { depth += 1; here.dataset.dragging = "yes"; } });
  document.addEventListener("dragleave", (event) => { if (withFiles(event) && (depth -= 1) <= 0) here.dataset.dragging = "no"; });
  document.addEventListener("dragover", (event) => { if (withFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", async (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    depth = 0;
    here.dataset.dragging = "no";
    const error = await take(await dropped(event.dataTransfer));
    if (error) tell(error);
  });

  function tell(message, kind = "bad") {
    const notice = $("notice");
    notice.textContent = message;
    notice.dataset.kind = kind;
    notice.hidden = false;
    setTimeout(() => { notice.hidden = true; }, 6000);
  }

  if (!root) return;
  for (const one of JSON.parse(sessionStorage.getItem(LINES) || "[]")) line(...one);
  sessionStorage.removeItem(LINES);
  $("choose").addEventListener("click", () => $("files").click());
  $("choose-folder").addEventListener("click", () => $("folder").click());
  for (const id of ["files", "folder"]) $(id).addEventListener("change", (event) => take([...event.target.files]));

  // -- deciding ------------------------------------------------------------------------------------------------------

  const labels = $("labels");
  const fault = (message) => {
    $("fault").textContent = message;
    $("fault").hidden = !message;
    if (message) $("fault").scrollIntoView({ block: "center" });
  };
  if (labels) labels.addEventListener("submit", (event) => event.preventDefault());

  if ($("file")) $("file").addEventListener("click", async () => {
    const sections = {};
    for (const field of document.querySelectorAll("[data-part]")) sections[field.name] = field.value;
    const funds = {};
    for (const field of document.querySelectorAll("[data-fund-of]")) if (field.value) funds[field.name] = field.value;
    const values = Object.fromEntries(new FormData(labels));
    const { error } = await post(`/desk/reports/${labels.dataset.report}/file`, { ...values, sections, funds });
    if (error) fault(error);
    else location.assign(home);
  });

  if ($("aside")) {
    $("aside").addEventListener("click", () => $("aside-dialog").showModal());
    $("aside-do").addEventListener("click", async () => {
      const id = new URLSearchParams(location.search).get("report") || document.querySelector(".reports [aria-current]").href.split("=")[1];
      const { error } = await post(`/desk/reports/${id}/aside`, { note: $("aside-note").value });
      if (error) fault(error);
      else location.assign(home);
    });
  }

  for (const field of document.querySelectorAll("[data-heading]")) {
    field.addEventListener("change", async () => {
      const { heading, folded, manager } = field.dataset;
      const { found, error } = await post("/desk/headings", { manager, heading, folded, section: field.value });
      tell(error || found.message, error ? "bad" : "good");
    });
  }
})();
