// Messages over the panes.
"use strict";

function notices(box, words) {
  // A message over the panes: text, and buttons that answer it.
  let fading = 0;
  function notice({ message, kind = "warn", detail = "", buttons = [] }) {
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
    box.hidden = true;
  }

  return { notice, hideNotice };
}
