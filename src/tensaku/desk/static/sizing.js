/* The page of sizing: every movement of a slider goes to the server, the newest answer is shown. */
"use strict";
(() => {
  const form = document.getElementById("sizing-form");
  if (!form) return;
  let waiting = 0;
  const send = () => {
    const values = {};
    for (const field of form.elements) if (field.name) values[field.name] = field.value;
    emitEvent("sizing_ask", values);
  };
  const later = () => { clearTimeout(waiting); waiting = setTimeout(send, 60); };
  for (const field of form.querySelectorAll("input[type=range]")) {
    field.addEventListener("input", () => { document.getElementById(`${field.name}-told`).textContent = field.dataset.values.split(",")[field.value]; });
  }
  form.addEventListener("input", later);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.sizing = {
    show(html, method) {
      document.getElementById("sizing-answer").innerHTML = html;
      form.dataset.method = method;
    },
  };
  const first = () => (window.emitEvent && window.socket && window.socket.connected ? send() : setTimeout(first, 100));
  first();
})();
