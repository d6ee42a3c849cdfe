/* The applicant's form, better: it answers in its place, without a new page.
   form[data-ask] is sent by fetch; what bears data-region is swapped out of the page that comes back.
   Says on the document: berth:submit, berth:result (detail: the answer), berth:error (detail: status, reason). */
import { changed, region, report, say, tell } from "./telling.js";

const PATIENCE = 8000;
const REGIONS = ["problems", "fields", "notice", "result"];

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-ask]")) return;
  event.preventDefault();
  if (form.ariaBusy !== "true") ask(form);
});

document.addEventListener("input", (event) => event.target.closest("[data-ask]") && changed());

async function ask(form) {
  form.ariaBusy = "true";
  say("submit");
  try {
    const response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      credentials: "omit",
      signal: AbortSignal.timeout(PATIENCE),
    });
    show(new DOMParser().parseFromString(await response.text(), "text/html"), response.status);
  } catch (error) {
    tell(navigator.onLine ? (error.name === "TimeoutError" ? "slow" : "failed") : "offline");
  } finally {
    form.ariaBusy = "false";
  }
}

function show(page, status) {
  const main = page.querySelector("main.applicant");
  page.querySelector("[autofocus]")?.removeAttribute("autofocus"); // report() moves the focus
  if (!main) throw new Error("That is no page of the form.");
  if (main.querySelector("[data-closed]")) {
    document.querySelector("main").replaceChildren(...main.childNodes);
  } else {
    const focused = document.activeElement?.id;
    for (const name of REGIONS) region(document, name).replaceChildren(...region(page, name).childNodes);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
  document.title = page.title;
  report(status);
}
