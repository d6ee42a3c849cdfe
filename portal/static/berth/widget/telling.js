/* What the applicant's page says: its regions, its events, where the focus goes. For form.js and device.js. */
export const region = (page, name) => page.querySelector(`[data-region="${name}"]`);
export const say = (name, detail) => document.dispatchEvent(new CustomEvent(`berth:${name}`, { detail }));

export function changed() {
  const answer = document.querySelector(".estimate");
  if (!answer) return;
  answer.dataset.changed = "";
  answer.querySelector("[data-stale]").hidden = false;
}

export function report(status) {
  const answer = document.querySelector(".estimate");
  if (answer) {
    answer.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    return say("result", JSON.parse(answer.dataset.event));
  }
  document.querySelector(".errors")?.focus();
  return say("error", { status, reason: status === 422 ? "invalid" : status === 429 ? "limited" : "unavailable" });
}

export function tell(reason) {
  const notice = document.createElement("div");
  notice.className = "notice warn";
  const text = document.createElement("div");
  text.append(document.querySelector(`template[data-message="${reason}"]`).content.cloneNode(true));
  notice.append(text);
  region(document, "notice").replaceChildren(notice);
  say("error", { status: 0, reason });
}
