// Says how long ago: <time datetime="2026-11-14T09:12:00Z" data-time>14 Nov 2026, 09:12 UTC</time>.
// The server's text is what stays without this script; with it, it becomes the title, in the reader's zone.

const steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];
const language = document.documentElement.lang || "en";
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const absolute = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });

function ago(then) {
  let span = (then - Date.now()) / 1000;
  if (Math.abs(span) < 10) return "just now";
  for (const [unit, many] of steps) {
    if (Math.abs(span) < many) return relative.format(Math.trunc(span), unit);
    span /= many;
  }
  return "";
}

function refresh(root) {
  for (const element of root.querySelectorAll?.("time[data-time]") ?? []) {
    const then = new Date(element.dateTime);
    if (Number.isNaN(then.getTime())) continue;
    element.textContent = ago(then);
    element.title = absolute.format(then);
  }
}

document.addEventListener("htmx:load", (event) => refresh(event.target.parentElement ?? document));
setInterval(() => refresh(document), 30_000);
refresh(document);
