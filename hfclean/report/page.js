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
  const texts = new Map();
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
  });
  form.hidden = false;
  apply();
})();
