"use strict";
(function () {
  const form = document.getElementById("filter");
  if (!form) return;
  const cards = Array.from(document.querySelectorAll("#cards > .row"));
  const rule = form.elements.rule, split = form.elements.split, text = form.elements.text;
  const found = form.elements.found, context = form.elements.context, none = document.getElementById("none");
  const texts = new Map();
  let timer = 0;

  function has(card, wanted) {
    let content = texts.get(card);
    if (content === undefined) texts.set(card, (content = card.textContent.toLowerCase()));
    return content.includes(wanted);
  }

  function apply() {
    const wanted = text.value.trim().toLowerCase(), r = rule.value, s = split ? split.value : "";
    let shown = 0;
    for (const card of cards) {
      const fits = (!r || card.dataset.r.split(" ").includes(r)) && (!s || card.dataset.s === s) &&
        (!wanted || has(card, wanted));
      if (card.hidden === fits) card.hidden = !fits;
      shown += fits;
    }
    found.value = shown.toLocaleString("en") + " of " + cards.length.toLocaleString("en") + " rows";
    none.hidden = shown > 0;
  }

  function unfold() {
    const open = context.getAttribute("aria-pressed") === "true";
    for (const fold of document.querySelectorAll("#cards details")) fold.open = open;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", apply);
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 150); });
  context.addEventListener("click", () => {
    context.setAttribute("aria-pressed", String(context.getAttribute("aria-pressed") !== "true"));
    unfold();
  });
  for (const link of document.querySelectorAll("a[data-rule]")) {
    link.addEventListener("click", () => { rule.value = link.dataset.rule; apply(); });
  }
  form.hidden = false;
  apply();
})();
