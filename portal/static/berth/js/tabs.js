// Turns headed sections into tabs: <div class="tabbed" data-tabs="calls">
//   <section data-tab="curl"><h3>curl</h3>…</section> <section data-tab="python">…
// Without this script every section stays readable below its heading. Arrow keys, Home and End move.
// Groups with the same data-tabs value share the choice, on this page and the next.

const memory = {
  get: (group) => { try { return sessionStorage.getItem(`tabs:${group}`); } catch { return null; } },
  set: (group, tab) => { try { sessionStorage.setItem(`tabs:${group}`, tab); } catch { /* storage is off: forget */ } },
};
let made = 0;

function choose(box, name) {
  for (const tab of box.querySelectorAll(":scope > [role=tablist] > [role=tab]")) {
    const chosen = tab.dataset.for === name;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
}

function tabFor(section) {
  const heading = section.querySelector("h2, h3, h4");
  const tab = document.createElement("button");
  section.id ||= `panel-${++made}`;
  tab.id = `${section.id}-tab`;
  tab.type = "button";
  tab.role = "tab";
  tab.dataset.for = section.dataset.tab;
  tab.textContent = heading.textContent;
  tab.setAttribute("aria-controls", section.id);
  heading.hidden = true;
  section.role = "tabpanel";
  section.setAttribute("aria-labelledby", tab.id);
  return tab;
}

function build(box) {
  const sections = [...box.querySelectorAll(":scope > [data-tab]")];
  const list = document.createElement("div");
  list.className = "tabs";
  list.role = "tablist";
  list.setAttribute("aria-label", box.getAttribute("aria-label") ?? "Views");
  list.append(...sections.map(tabFor));
  box.prepend(list);
  box.dataset.ready = "";
  const names = sections.map((section) => section.dataset.tab);
  const kept = memory.get(box.dataset.tabs);
  choose(box, names.includes(kept) ? kept : names[0]);
}

function choosePeers(box, name) {
  memory.set(box.dataset.tabs, name);
  for (const peer of document.querySelectorAll("[data-tabs][data-ready]")) {
    const same = peer.dataset.tabs === box.dataset.tabs;
    if (same && peer.querySelector(`:scope > [data-tab="${CSS.escape(name)}"]`)) choose(peer, name);
  }
}

const moves = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

function move(event) {
  const tab = event.target.closest?.("[data-tabs] > [role=tablist] > [role=tab]");
  if (!tab || !(event.key in moves)) return;
  event.preventDefault();
  const tabs = [...tab.parentElement.children];
  const step = moves[event.key];
  const at = Number.isFinite(step)
    ? (tabs.indexOf(tab) + step + tabs.length) % tabs.length
    : step < 0 ? 0 : tabs.length - 1;
  tabs[at].focus();
  choosePeers(tab.closest("[data-tabs]"), tabs[at].dataset.for);
}

function enhance(root) {
  root.querySelectorAll?.("[data-tabs]:not([data-ready])").forEach(build);
}

document.addEventListener("click", (event) => {
  const tab = event.target.closest?.("[data-tabs] > [role=tablist] > [role=tab]");
  if (tab) choosePeers(tab.closest("[data-tabs]"), tab.dataset.for);
});
document.addEventListener("keydown", move);
document.addEventListener("htmx:load", (event) => enhance(event.target.parentElement ?? document));
enhance(document);
