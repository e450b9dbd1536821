// The line: shows what it was understood to say, saves on Enter, and keeps what is typed until the server has it.
// Nothing here is needed: without script the form posts, shows what it understood, and saves.
(() => {
  "use strict";
  const read = (key) => { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } };
  const keep = (key, value) => { try { value === null ? localStorage.removeItem(key) : localStorage.setItem(key, JSON.stringify(value)); } catch { /* no storage: the form still posts */ } };

  const form = document.querySelector("form[data-line]");
  if (!form) return;
  const KEPT = `wellserved.unsent.${form.dataset.owner}`, TYPED = `wellserved.typed.${form.dataset.owner}`; // each person's own
  const line = form.elements.line, draft = form.elements.draft, token = form.elements.csrfmiddlewaretoken;
  const shown = form.querySelector("[data-shown]"), told = form.querySelector("[data-told]");
  form.querySelector("[data-plain]").value = "save";

  const send = (url, fields, accept) => fetch(url, {
    method: "POST", credentials: "same-origin",
    headers: { "X-CSRFToken": token.value, "Accept": accept },
    body: new URLSearchParams(fields),
  });

  const say = (text, alarm) => {
    const p = document.createElement("p");
    p.className = alarm ? "caution" : "verdict";
    p.textContent = text;
    told.replaceChildren(p);
  };

  let waiting = 0;
  const look = async () => {
    const now = ++waiting, text = line.value;
    if (!text.trim()) { shown.replaceChildren(); return; }
    try {
      const answer = await send(form.dataset.look, { line: text }, "text/html");
      if (now === waiting && answer.ok) shown.innerHTML = await answer.text(); // escaped by the server's templates
    } catch { /* offline: nothing to show */ }
  };

  let timer;
  line.addEventListener("input", () => {
    keep(TYPED, line.value ? { line: line.value, draft: draft.value } : null);
    clearTimeout(timer);
    timer = setTimeout(look, 200);
  });
  shown.addEventListener("click", (event) => { // one of the readings of what is not clear
    const answer = event.target.closest("button[name=line]");
    if (!answer) return;
    event.preventDefault();
    line.value = answer.value;
    line.dispatchEvent(new Event("input"));
    line.focus();
  });
  line.addEventListener("keydown", (event) => {
    const proposal = event.key === "Enter" && event.altKey && shown.querySelector("[data-propose]");
    if (proposal) { event.preventDefault(); proposal.click(); return; } // taken over, and shown again before it is saved
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });

  const offerUndo = (where, saved, sent) => { // for ten seconds; afterwards the entry's own page erases it
    const button = document.createElement("button");
    button.type = "button"; button.className = "quiet"; button.textContent = form.dataset.undo; button.setAttribute("data-undo", "");
    where.append(" ", button);
    const end = setTimeout(() => button.remove(), 10000);
    button.addEventListener("click", async () => {
      clearTimeout(end);
      const answer = await send(`/journal/${saved}/erase`, {}, "text/html").catch(() => null);
      if (!answer || !answer.ok) { say("It could not be undone. Open its page to erase it.", true); return; }
      told.replaceChildren();
      if (!line.value) { line.value = sent.line; line.dispatchEvent(new Event("input")); }
      line.focus();
    });
  };

  // One at a time, in order; the id that was given to the form makes a second sending the same entry.
  let sending = false;
  const deliver = async () => {
    if (sending) return;
    sending = true;
    try {
      const refused = new Set(); // by the server, for whatever reason: kept, and no hindrance to the others
      for (let next; (next = (read(KEPT) || []).find((one) => !refused.has(one.draft)));) {
        const answer = await send(form.action, { ...next, do: "save" }, "application/json");
        if (answer.status === 422 && (answer.headers.get("Content-Type") || "").startsWith("application/json")) { // to be said more clearly
          const { what, do: hint } = await answer.json();
          say(`Not saved yet. ${what} ${hint}`, true);
          if (line.value.trim()) { refused.add(next.draft); continue; } // another line is being typed: this one waits its turn
          keep(KEPT, (read(KEPT) || []).filter((one) => one.draft !== next.draft));
          line.value = next.line;
          line.dispatchEvent(new Event("input"));
          continue;
        }
        if (!answer.ok || !(answer.headers.get("Content-Type") || "").startsWith("application/json")) {
          refused.add(next.draft);
          say(answer.redirected ? "You are signed out. It is kept in this browser and sent once you have signed in." : "The server could not save it. It is kept in this browser and tried again.", true);
          continue;
        }
        const { saved } = await answer.json();
        keep(KEPT, (read(KEPT) || []).filter((one) => one.draft !== next.draft));
        const p = document.createElement("p"), a = document.createElement("a");
        p.className = "verdict"; p.setAttribute("data-saved", saved);
        p.append("Saved. ", a); a.href = `/journal/${saved}/`; a.textContent = next.line.slice(0, 80);
        told.replaceChildren(p);
        offerUndo(p, saved, next);
      }
    } catch {
      say("No connection. It is kept in this browser and sent as soon as the server answers.", true);
    }
    sending = false;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer); waiting++;
    if (!line.value.trim()) return;
    keep(KEPT, [...(read(KEPT) || []), { line: line.value, draft: draft.value }]);
    keep(TYPED, null);
    if (!(read(KEPT) || []).some((one) => one.draft === draft.value)) { form.submit(); return; } // no storage
    draft.value = crypto.randomUUID ? crypto.randomUUID() : "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) => (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));
    line.value = "";
    shown.replaceChildren();
    deliver();
  });
  addEventListener("online", deliver);
  setInterval(() => { if ((read(KEPT) || []).length) deliver(); }, 10000);

  const typed = read(TYPED);
  if (typed && !line.value) { line.value = typed.line; draft.value = typed.draft; look(); }
  if ((read(KEPT) || []).length) deliver();
})();
