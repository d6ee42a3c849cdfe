// Filters what is already on the page: <input type="search" data-filter="#models"> hides the children of #models
// (of its tbody, for a table) that lack the words; says how many are left in [data-filter-count="#models"].

function rows(list) {
  return [...(list.tBodies?.[0] ?? list).children];
}

function filter(input) {
  const list = document.querySelector(input.dataset.filter);
  if (!list) return;
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const row of rows(list)) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    left += row.hidden ? 0 : 1;
  }
  const count = document.querySelector(`[data-filter-count="${input.dataset.filter}"]`);
  if (count) count.textContent = words.length ? `${left} of ${rows(list).length}` : "";
}

document.addEventListener("input", (event) => {
  if (event.target.matches?.("[data-filter]")) filter(event.target);
});
document.addEventListener("htmx:load", () => document.querySelectorAll("[data-filter]").forEach(filter));
