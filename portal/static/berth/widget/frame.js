/* The applicant's page inside <berth-widget>: says how tall it is and what happened, takes on the site's look.
   The host speaks first ("berth:hello"); it is heard only if it is the parent and one of the widget's sites,
   and it is answered at exactly its origin. What applicants write is never sent to it. */
import { dress } from "./theme.js";

const root = document.documentElement;
const sites = new Set([location.origin, ...root.dataset.origins.split(" ").filter(Boolean)]);
let host = null;

const tell = (type, detail = {}) => host && parent.postMessage({ type: `berth:${type}`, detail }, host);
const measure = () => tell("size", { height: Math.ceil(document.querySelector("main").getBoundingClientRect().height) });

addEventListener("message", (event) => {
  if (event.source !== parent || !sites.has(event.origin) || event.data?.type !== "berth:hello") return;
  const first = host === null;
  host = event.origin;
  dress(root, event.data.detail ?? {});
  measure();
  if (first) greet();
});

function greet() {
  tell("ready");
  const answer = document.querySelector(".estimate");
  if (answer) tell("result", JSON.parse(answer.dataset.event));
  if (document.querySelector("[data-closed]")) tell("error", { status: 503, reason: "closed" });
}

new ResizeObserver(measure).observe(document.querySelector("main"));
for (const name of ["submit", "result", "error"]) {
  document.addEventListener(`berth:${name}`, (event) => tell(name, event.detail ?? {}));
}
