/* The applicant's form, better: it answers in its place, without a new page.
   form[data-ask] is sent by fetch; what bears data-region is swapped out of the page that comes back.
   Says on the document: berth:submit, berth:result (detail: the answer), berth:error (detail: status, reason). */
const PATIENCE = 8000;
const REGIONS = ["problems", "fields", "notice", "result"];

const region = (page, name) => page.querySelector(`[data-region="${name}"]`);
const say = (name, detail) => document.dispatchEvent(new CustomEvent(`berth:${name}`, { detail }));

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-ask]")) return;
  event.preventDefault();
  if (form.ariaBusy !== "true") ask(form);
});

document.addEventListener("input", (event) => {
  const answer = document.querySelector(".estimate");
  if (!answer || !event.target.closest("[data-ask]")) return;
  answer.dataset.changed = "";
  answer.querySelector("[data-stale]").hidden = false;
});

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

function report(status) {
  const answer = document.querySelector(".estimate");
  if (answer) {
    answer.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    return say("result", JSON.parse(answer.dataset.event));
  }
  document.querySelector(".errors")?.focus();
  return say("error", { status, reason: status === 422 ? "invalid" : status === 429 ? "limited" : "unavailable" });
}

function tell(reason) {
  const notice = document.createElement("div");
  notice.className = "notice warn";
  const text = document.createElement("div");
  text.append(document.querySelector(`template[data-message="${reason}"]`).content.cloneNode(true));
  notice.append(text);
  region(document, "notice").replaceChildren(notice);
  say("error", { status: 0, reason });
}
