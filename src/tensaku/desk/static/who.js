// The dialog that shows who is signed in.
"use strict";

(() => {
  const dialog = document.getElementById("who");
  document.getElementById("person")?.addEventListener("click", () => dialog.open || dialog.showModal());
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
})();
