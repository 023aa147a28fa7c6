"use strict";
// Keys, drafts and the time that a person looked. Without it every page works by links and forms alone.
(function () {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let shownAt = 0, looked = 0, busy = false, field = "";

  function stored(key, value) {
    try {
      if (value === undefined) return localStorage.getItem(key);
      if (value === null) localStorage.removeItem(key); else localStorage.setItem(key, value);
    } catch (e) { /* the browser keeps nothing: so be it */ }
    return null;
  }

  // ------------------------------------------------------------------------------------------------ looks and time

  function isDark() { return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches; }

  function themed() {
    const button = document.getElementById("theme");
    button.textContent = isDark() ? "Light" : "Dark";
    button.hidden = false;
  }

  function watch() {
    const now = performance.now();
    if (document.visibilityState === "visible") shownAt = now;
    else if (shownAt) { looked += now - shownAt; shownAt = 0; }
  }

  function seconds() { return ((looked + (shownAt ? performance.now() - shownAt : 0)) / 1000).toFixed(1); }

  function say(words) { document.getElementById("status").textContent = words; }

  // ---------------------------------------------------------------------------------------------------------- pages

  // What was typed stays with the browser until it is saved, whatever becomes of the page or of the desk.
  function draft(area) { return "draft:" + area.form.dataset.row + ":" + area.name; }

  function begin() {
    looked = 0;
    shownAt = document.visibilityState === "visible" ? performance.now() : 0;
    themed();
    const keys = document.getElementById("keys");
    if (keys) keys.checked = stored("keys") !== "off";
    let restored = 0;
    for (const area of document.querySelectorAll("form.edit textarea")) {
      const kept = stored(draft(area));
      if (kept !== null && kept !== area.value) { area.value = kept; restored += 1; }
    }
    if (restored) say("What you had typed and not saved is back in " + restored + (restored > 1 ? " fields." : " field."));
    const texts = Array.from(document.querySelectorAll("form.edit textarea"));
    const first = texts.find((area) => area.name === field) || texts[0];
    (first || document.querySelector("main h1") || document.getElementById("main")).focus({ preventScroll: true });
  }

  function show(html, address, isNew) {
    const page = new DOMParser().parseFromString(html, "text/html");
    if (!page.getElementById("main")) { location.reload(); return; }
    if (!page.querySelector("header")) { // it says to sign in, or why not: the page that is open stays, with what was typed
      say(Array.from(page.querySelectorAll("main p:not(.out)"), (each) => each.textContent).join(" ") + " ");
      const link = page.querySelector("a.go");
      if (link) document.getElementById("status").append(document.adoptNode(link));
      scrollTo(0, 0);
      return;
    }
    document.title = page.title;
    for (const name of ["base", "page"]) document.body.dataset[name] = page.body.dataset[name];
    document.querySelector("header").replaceWith(document.adoptNode(page.querySelector("header")));
    document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
    if (isNew) history.pushState(null, "", address);
    scrollTo(0, 0);
    begin();
  }

  async function go(address, form, isNew) {
    if (busy) return false;
    busy = true;
    document.body.dataset.busy = "";
    try {
      const answer = await fetch(address, form ? { method: "POST", body: form } : {});
      const type = answer.headers.get("content-type") || "";
      const html = await answer.text();
      if (!type.startsWith("text/html")) { say(html.slice(0, 300)); return false; }
      show(html, answer.redirected ? answer.url : form ? location.href : address, isNew && (answer.redirected || !form));
      return answer.redirected;
    } catch (e) {
      say("The desk does not answer: nothing was saved. What you typed in the fields of an edit stays in this browser: " +
        (location.protocol === "https:" ? "reload the page in a while, and edit the row." : "start the desk again with --port " +
        location.port + ", open the address that it prints, and edit the row."));
      return false;
    } finally {
      busy = false;
      delete document.body.dataset.busy;
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    event.preventDefault();
    const kept = Array.from(form.querySelectorAll("textarea"), draft);
    if (form.elements.seconds) form.elements.seconds.value = seconds();
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    go(form.action, fields, true).then((isSaved) => { if (isSaved) for (const key of kept) stored(key, null); });
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link && link.origin === location.origin && !link.target && !event.metaKey && !event.ctrlKey && !event.shiftKey &&
        !link.classList.contains("skip")) {
      event.preventDefault();
      go(link.href, null, true);
    } else if (event.target.id === "theme") {
      root.dataset.theme = isDark() ? "light" : "dark";
      stored("theme", root.dataset.theme);
      themed();
    }
  });

  document.addEventListener("input", (event) => {
    if (!event.target.matches("form.edit textarea")) return;
    field = event.target.name;
    stored(draft(event.target), event.target.value);
  });

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.id === "keys") stored("keys", box.checked ? "on" : "off");
    if (box.name === "hunk") say((box.checked ? "Taken: " : "Left out: ") + box.getAttribute("aria-label"));
  });

  window.addEventListener("popstate", () => go(location.href, null, false));
  document.addEventListener("visibilitychange", watch);
  dark.addEventListener("change", themed);

  // ----------------------------------------------------------------------------------------------------------- keys

  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("textarea, select, input:not([type=checkbox])");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const save = document.querySelector("form.edit .yes");
      if (save) { event.preventDefault(); save.click(); }
      return;
    }
    if (event.key === "Escape") {
      if (field && !field.closest("form.edit")) field.blur();
      else if (document.body.dataset.page === "edit") document.querySelector("form.edit a.button").click();
      return;
    }
    if (field || event.ctrlKey || event.metaKey || event.altKey || event.repeat || stored("keys") === "off") return;
    if (event.key === "/") { event.preventDefault(); const find = document.getElementById("q"); find.focus(); find.select(); return; }
    if (event.key === "?") { go(document.body.dataset.base + "help", null, true); return; }
    const wanted = document.querySelector('[data-key="' + CSS.escape(event.key) + '"]');
    if (wanted) { event.preventDefault(); wanted.click(); }
  });

  const theme = stored("theme");
  if (theme) root.dataset.theme = theme;
  begin();
})();
