"use strict";
(function () {
  const root = document.documentElement, theme = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  }

  function name() {
    theme.textContent = isDark() ? "Light" : "Dark";
  }

  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  dark.addEventListener("change", name);
  name();
  theme.hidden = false;

  // when this file was written: the file itself says nothing of it, so that the same rows give the same bytes
  const written = new Date(document.lastModified);
  if (!Number.isNaN(written.valueOf())) {
    const date = document.getElementById("date"), time = date.querySelector("time");
    time.dateTime = written.toISOString();
    time.textContent = "file of " + written.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
    date.hidden = false;
  }

  const form = document.getElementById("filter");
  if (!form) return;
  const PAGE = 100;
  const cards = Array.from(document.querySelectorAll("#cards > .row"));
  const label = form.elements.label, split = form.elements.split, text = form.elements.text;
  const found = form.elements.found, context = form.elements.context;
  const none = document.getElementById("none"), more = document.getElementById("more");
  const keys = document.getElementById("keys"), help = document.getElementById("help");
  const texts = new Map(), events = [], decided = new Map();
  const VERDICTS = { a: "accept", r: "reject", f: "flag" };
  const who = form.elements.who, save = form.elements.save;
  let saved = 0, arrived = 0;
  let fitting = cards, shown = PAGE, timer = 0;

  function has(card, wanted) {
    let content = texts.get(card);
    if (content === undefined) texts.set(card, (content = card.textContent.toLowerCase()));
    return content.includes(wanted);
  }

  function show() {
    const visible = new Set(fitting.slice(0, shown));
    for (const card of cards) if (card.hidden === visible.has(card)) card.hidden = !card.hidden;
    none.hidden = fitting.length > 0;
    more.hidden = fitting.length <= shown;
    more.firstElementChild.textContent = "Show " + Math.min(PAGE, fitting.length - shown) + " more of " +
      (fitting.length - shown).toLocaleString("en");
  }

  function apply() {
    const wanted = text.value.trim().toLowerCase(), l = label.value, s = split ? split.value : "";
    fitting = cards.filter((card) => (!l || card.dataset.r.split(" ").includes(l)) &&
      (!s || card.dataset.s === s) && (!wanted || has(card, wanted)));
    shown = PAGE;
    found.value = fitting.length.toLocaleString("en") + " of " + cards.length.toLocaleString("en") + " rows";
    show();
  }

  function move(step) {
    const at = fitting.indexOf(document.activeElement.closest("#cards > .row"));
    const next = at < 0 ? 0 : Math.min(fitting.length - 1, Math.max(0, at + step));
    if (!fitting.length) return;
    if (next >= shown) { shown += PAGE; show(); }
    fitting[next].focus({ preventScroll: true });
    fitting[next].scrollIntoView({ block: "start" });
    arrived = performance.now();
  }

  // one event a decision, in the order in which they were made: what is saved later holds what was saved before
  function decide(card, verdict) {
    if (!card || !card.dataset.after || (verdict === "undo" && !decided.has(card))) return false;
    const event = { row_id: card.dataset.id, verdict: verdict };
    if (verdict !== "undo") {
      event.before = card.dataset.id.split("-")[0];
      event.after = card.dataset.after;
      event.result = verdict === "reject" ? event.before : event.after;
      if (arrived && card === document.activeElement) event.seconds = Math.round(performance.now() - arrived) / 1000;
    }
    event.when = new Date().toISOString();
    event.number = events.push(event);
    const earlier = decided.get(card) || [];
    const now = verdict === "undo" ? earlier.slice(0, -1) : [...earlier, verdict];
    if (now.length) decided.set(card, now); else decided.delete(card);
    for (const button of card.querySelectorAll(".decide button")) {
      button.setAttribute("aria-pressed", String(button.value === now[now.length - 1]));
    }
    save.disabled = false;
    save.textContent = "Save " + decided.size.toLocaleString("en") + (decided.size === 1 ? " decision" : " decisions");
    return true;
  }

  function buttons(card) {
    const bar = document.createElement("p");
    bar.className = "decide";
    for (const verdict of Object.values(VERDICTS)) {
      const button = document.createElement("button");
      button.type = "button";
      button.value = verdict;
      button.textContent = verdict;
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        decide(card, button.getAttribute("aria-pressed") === "true" ? "undo" : verdict);
      });
      bar.append(button);
    }
    card.append(bar);
  }

  function write() {
    const name = who.value.trim();
    who.setAttribute("aria-invalid", String(!name));
    if (!name) { who.focus(); return; }
    const lines = events.map((event) => JSON.stringify({ ...event, who: name }) + "\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
    link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, "_") + ".verdicts.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    saved = events.length;
    save.disabled = true;
  }

  if (save) {
    for (const card of cards) if (card.dataset.after) buttons(card);
    save.addEventListener("click", write);
    addEventListener("beforeunload", (event) => { if (events.length > saved) event.preventDefault(); });
    who.closest("label").hidden = save.hidden = false;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", apply);
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 150); });
  text.addEventListener("keydown", (event) => { if (event.key === "Escape" && !text.value) text.blur(); });
  more.firstElementChild.addEventListener("click", () => {
    const first = fitting[shown];
    shown += PAGE;
    show();
    first.focus({ preventScroll: true });
  });
  context.addEventListener("click", () => {
    const open = context.getAttribute("aria-pressed") !== "true";
    context.setAttribute("aria-pressed", String(open));
    for (const fold of document.querySelectorAll("#cards details")) fold.open = open;
  });
  for (const link of document.querySelectorAll("a[data-label]")) {
    link.addEventListener("click", () => { text.value = ""; label.value = link.dataset.label; apply(); });
  }
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input, select, textarea");
    if (busy || !keys.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") { event.preventDefault(); text.focus(); text.select(); }
    else if (event.key === "?" && help.togglePopover) help.togglePopover();
    else if (save && (VERDICTS[event.key] || event.key === "u")) {
      const card = document.activeElement.closest("#cards > .row");
      if (decide(card, VERDICTS[event.key] || "undo") && event.key !== "u") move(1);
    }
  });
  form.hidden = false;
  apply();
})();
