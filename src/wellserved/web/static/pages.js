// Parts of a page that take a moment, and the key that leads to the search. Without script there are links instead.
(() => {
  "use strict";
  for (const part of document.querySelectorAll("[data-fragment]")) {
    part.setAttribute("aria-busy", "true");
    fetch(part.dataset.fragment, { credentials: "same-origin", headers: { "X-Fragment": "1" } })
      .then((answer) => (answer.ok && !answer.redirected ? answer.text() : Promise.reject(answer.status)))
      .then((text) => { part.innerHTML = text; }) // escaped by the server's templates
      .catch(() => { /* the link stays */ })
      .finally(() => part.removeAttribute("aria-busy"));
  }
  const focus = (event, field) => { if (field) { event.preventDefault(); field.focus(); } };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    if (event.key === "/") focus(event, document.querySelector("[data-key='/']"));
    if (event.key === "n") focus(event, document.getElementById("line"));
    const keys = document.getElementById("keys");
    if (event.key === "?" && keys) { event.preventDefault(); keys.showModal(); }
  });
})();
