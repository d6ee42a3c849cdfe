// Says what a script or an htmx answer did, for six seconds, in the live region of portal.html.
// From a server: the header  HX-Trigger: {"berth:toast": {"text": "Saved.", "kind": "good"}}
// What copy.js did is only spoken, since its button shows it. A failed htmx request says so by itself.

const place = document.querySelector("[data-toasts]");

function say(text, kind = "") {
  const said = [...(place?.children ?? [])].some((toast) => toast.textContent === text); // a poll fails again and again
  if (!place || !text || said) return;
  const toast = Object.assign(document.createElement("p"), { className: `toast ${kind}`, textContent: text });
  place.append(toast);
  setTimeout(() => toast.remove(), 6000);
}

document.addEventListener("berth:toast", (event) => say(event.detail.text, event.detail.kind));
document.addEventListener("berth:copied", (event) => say(event.detail.done ? "Copied" : "Not copied: press Ctrl+C", "visually-hidden"));
document.addEventListener("htmx:sendError", () => say("No connection to the server. Nothing was changed.", "bad"));
document.addEventListener("htmx:responseError", (event) =>
  say(`The server answered ${event.detail.xhr.status}. Reload the page and try again.`, "bad"));
