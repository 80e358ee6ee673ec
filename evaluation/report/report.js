"use strict";
// Sorting, filtering and keys. The page can be read without it: everything is in the markup.
(() => {
  const cards = document.getElementById("cards");
  const rows = document.getElementById("rows");
  const filter = document.getElementById("filter");
  const status = document.getElementById("status");
  const buttons = [...document.querySelectorAll("button[data-sort]")];
  const entries = [...cards.children, ...rows.children];
  const byName = new Intl.Collator("en", { numeric: true }).compare;
  let sorting = null; // { key, label, better, descending }

  const score = (entry, key) => Number(entry.getAttribute(`data-score-${key}`) ?? NaN);

  // Clips without the score stay at the end in either direction.
  function compare(a, b) {
    const sign = sorting.descending ? -1 : 1;
    if (sorting.key === "name") return sign * byName(a.dataset.name, b.dataset.name);
    const x = score(a, sorting.key), y = score(b, sorting.key);
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (x - y) || byName(a.dataset.name, b.dataset.name);
  }

  // The first press shows the worst clips, the next one the best.
  function sortBy(button) {
    const { sort: key, better } = button.dataset;
    const again = sorting !== null && sorting.key === key;
    sorting = { key, better, label: button.textContent, descending: again ? !sorting.descending : better === "lower" };
    for (const list of [cards, rows]) list.append(...[...list.children].sort(compare));
    const direction = sorting.descending ? "descending" : "ascending";
    for (const other of buttons) {
      const isChosen = other.dataset.sort === key;
      other.dataset.direction = isChosen ? direction : "none";
      if (other.hasAttribute("aria-pressed")) other.setAttribute("aria-pressed", String(isChosen));
      other.closest("th")?.setAttribute("aria-sort", isChosen ? direction : "none");
    }
    tell();
  }

  function narrow() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const entry of entries) {
      const text = entry.querySelector(".caption").textContent.toLowerCase();
      entry.hidden = !words.every((word) => text.includes(word));
    }
    tell();
  }

  function tell() {
    const shown = (list) => [...list.children].filter((entry) => !entry.hidden).length;
    const parts = [`${shown(cards)} of ${cards.children.length} sounds`, `${shown(rows)} of ${rows.children.length} clips`];
    if (sorting !== null) parts.push(`by ${sorting.label}, ${order()}`);
    status.textContent = parts.join(" · ");
  }

  function order() {
    if (sorting.key === "name") return sorting.descending ? "Z to A" : "A to Z";
    return sorting.descending === (sorting.better === "lower") ? "worst first" : "best first";
  }

  function toggle(audio) {
    if (!audio) return;
    if (!audio.paused) return audio.pause();
    // At once, not when the player hears of it: its late news of the sound before would silence this one.
    document.querySelectorAll("figure audio").forEach((other) => other.pause());
    audio.play().catch(() => {}); // another key came before it began
  }

  function next(card, step) {
    const shown = [...cards.children].filter((other) => !other.hidden);
    shown[shown.indexOf(card) + step]?.focus();
  }

  const keys = {
    " ": (card) => toggle(card.querySelectorAll("audio")[0]),
    r: (card) => toggle(card.querySelectorAll("audio")[1]),
    ArrowDown: (card) => next(card, 1),
    ArrowRight: (card) => next(card, 1),
    ArrowUp: (card) => next(card, -1),
    ArrowLeft: (card) => next(card, -1),
  };

  for (const button of buttons) button.addEventListener("click", () => sortBy(button));
  filter.addEventListener("input", narrow);
  cards.addEventListener("keydown", (event) => {
    const action = keys[event.key] ?? keys[event.key.toLowerCase()];
    const isPlain = !(event.ctrlKey || event.altKey || event.metaKey);
    if (!action || !isPlain || event.target.parentElement !== cards) return; // players have keys of their own
    event.preventDefault();
    action(event.target);
  });

  tell();
})();
