// A file: dropped or chosen, sent with its progress; and its mapping, shown anew at each change. Without script the forms post.
(() => {
  "use strict";
  const form = document.querySelector("form[data-drop]");
  if (form) {
    const file = form.querySelector("input[type=file]"), progress = form.querySelector("[data-progress]");
    const bar = progress.querySelector("progress"), words = progress.querySelector("span");
    let request = null;
    const send = () => {
      if (!file.files.length || request) return;
      request = new XMLHttpRequest();
      request.upload.addEventListener("progress", (event) => {
        const percent = event.lengthComputable ? Math.floor((100 * event.loaded) / event.total) : 0;
        bar.value = percent;
        words.textContent = `${percent}%`;
      });
      request.addEventListener("load", () => {
        let answer = {};
        try { answer = JSON.parse(request.responseText); } catch { /* a page of an error */ }
        if (answer.url) location.assign(answer.url);
        else words.textContent = answer.problem || `${request.status} ${request.statusText}`;
        request = null;
      });
      request.addEventListener("error", () => { words.textContent = "No connection. Try again."; request = null; });
      request.addEventListener("abort", () => { progress.hidden = true; request = null; });
      progress.hidden = false;
      request.open("POST", form.action || location.href);
      request.setRequestHeader("Accept", "application/json");
      request.send(new FormData(form));
    };
    form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
    progress.querySelector("[data-stop]").addEventListener("click", () => request && request.abort());
    const hold = (event, over) => { event.preventDefault(); form.classList.toggle("over", over); };
    form.addEventListener("dragover", (event) => hold(event, true));
    form.addEventListener("dragleave", (event) => hold(event, false));
    form.addEventListener("drop", (event) => {
      hold(event, false);
      if (!event.dataTransfer.files.length) return;
      file.files = event.dataTransfer.files;
      send();
    });
  }

  const mapping = document.querySelector("form[data-mapping]"), preview = document.querySelector("[data-preview]");
  if (mapping && preview) {
    let last = 0;
    mapping.addEventListener("change", async () => {
      const now = ++last, fields = new URLSearchParams(new FormData(mapping));
      fields.set("do", "preview");
      preview.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(location.href, { method: "POST", credentials: "same-origin", headers: { "X-Fragment": "1" }, body: fields });
        if (now === last && answer.ok && !answer.redirected) preview.innerHTML = await answer.text(); // escaped by the server's templates
      } catch { /* the button still shows it */ }
      preview.removeAttribute("aria-busy");
    });
  }
})();
