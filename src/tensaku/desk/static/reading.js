// Keys for those who read many: 1 left, 2 right, 0 no preference; not while a reason is typed. One vote a page.
const form = document.getElementById("vote");
let sent = false;
form.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest("textarea") || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const button = form.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (button) button.click();
});
addEventListener("pageshow", () => { sent = false; });
