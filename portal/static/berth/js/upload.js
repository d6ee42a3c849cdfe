// Sends a form with its files, shows how far it is, and can be cancelled.
//
//   <form method="post" enctype="multipart/form-data" id="…" data-upload data-upload-limit="BYTES">
//     … fields (templates/parts/field.html) …
//     {% include "parts/upload_progress.html" %}
//
// The request carries `Accept: application/json` beside the form's own fields. The server may answer:
//   2xx JSON {"location": URL}         go there
//   redirect                           go where it leads (an ordinary view needs no second path)
//   4xx JSON (application/problem+json) {"detail", "errors": [{"pointer": "/artifact", "detail"}]}
//                                      the first step of each pointer names the field; shown beside it
//                                      and in a summary on top, which takes the focus
//   any HTML that holds the same form  (a fragment or a page) that form takes this one's place
// A submit button with data-upload-check only asks what would come of it: of the HTML's form the part
// [data-upload-report] takes this one's place, and the chosen file stays. Of a large text file only the beginning
// is sent then, and the field "part" says so.
// Anything else, or a broken line, becomes a sentence in the summary. Without this script the form posts as usual.

const part = (form, name) => form.querySelector(`[data-upload-${name}]`);
const element = (tag, className, text = "") =>
  Object.assign(document.createElement(tag), { className, textContent: text });

function clear(form) {
  form.querySelectorAll("[data-upload-made]").forEach((made) => made.remove());
  form.querySelectorAll("[data-upload-marked]").forEach((control) => {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("data-upload-marked");
  });
}

function controlFor(form, pointer) {
  const found = form.elements[pointer.split("/")[1]];
  return found instanceof RadioNodeList ? found[0] : found;
}

function markField(control, detail) {
  const error = element("p", "error", detail);
  error.id = `${control.id || control.name}_error`;
  error.dataset.uploadMade = "";
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("data-upload-marked", "");
  const ids = new Set((control.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
  control.setAttribute("aria-describedby", [...ids.add(error.id)].join(" "));
  control.closest(".field")?.append(error);
}

function line(form, { pointer = "", detail }) {
  const item = element("li", "");
  const control = pointer && controlFor(form, pointer);
  if (!control) {
    item.textContent = detail;
    return item;
  }
  markField(control, detail);
  const link = element("a", "", detail);
  link.href = `#${control.id}`;
  item.append(link);
  return item;
}

function refuse(form, detail, errors = []) {
  clear(form);
  idle(form);
  const box = element("div", "errors");
  const list = element("ul", "");
  list.append(...(errors.length ? errors : [{ detail }]).map((error) => line(form, error)));
  box.dataset.uploadMade = "";
  box.tabIndex = -1;
  box.append(element("h2", "", "There is a problem"), list);
  form.prepend(box);
  box.focus();
}

function lock(form, locked) {
  for (const control of form.elements) if (control.type === "submit") control.disabled = locked;
}

function idle(form) {
  form.removeAttribute("aria-busy");
  const progress = part(form, "progress");
  if (progress) progress.hidden = true;
  lock(form, false);
}

function busy(form) {
  form.setAttribute("aria-busy", "true");
  const progress = part(form, "progress");
  if (progress) progress.hidden = false;
  lock(form, true);
  advance(form, 0);
}

function advance(form, share) {
  const percent = Math.floor(share * 100);
  const bar = form.querySelector("[data-upload-progress] progress");
  if (bar) bar.value = percent;
  const text = part(form, "text");
  if (text) text.textContent = percent < 100 ? `${percent} %` : "Received. Checking the file…";
}

function replace(form, html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById(form.id);
  if (!fresh) return refuse(form, "The server answered in a way this page doesn't understand. Reload and try again.");
  form.replaceWith(fresh);
  globalThis.htmx?.process(fresh);
  fresh.querySelector(".errors")?.focus();
}

function report(form, html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("[data-upload-report]");
  const place = part(form, "report");
  if (!fresh || !place) return replace(form, html);
  place.replaceWith(fresh);
  fresh.focus();
  fresh.scrollIntoView({ block: "nearest" });
}

const ENOUGH = 8 * 1024 * 1024;

function shorten(data) {
  for (const [name, file] of [...data]) {
    if (!(file instanceof File) || file.size <= ENOUGH || !/\.(csv|jsonl|ndjson)$/i.test(file.name)) continue;
    data.set(name, file.slice(0, ENOUGH), file.name);
    data.set("part", "1");
  }
}

function json(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return {};
  }
}

function wentElsewhere(form, request) {
  return request.status < 300 && request.responseURL && request.responseURL.split("#")[0] !== form.action.split("#")[0];
}

function answer(form, request, isCheck) {
  const type = request.getResponseHeader("Content-Type") ?? "";
  if (isCheck && request.status === 200 && type.includes("html")) return idle(form), report(form, request.responseText);
  if (wentElsewhere(form, request)) return location.assign(request.responseURL);
  if (type.includes("html")) return replace(form, request.responseText);
  const body = json(request);
  if (request.status < 300 && body.location) return location.assign(body.location);
  if (request.status === 413) return refuse(form, body.detail ?? "The file is larger than this server accepts.", body.errors);
  return refuse(form, body.detail ?? `The server answered ${request.status}. Nothing was stored; try again.`, body.errors);
}

function tooLarge(form) {
  const limit = Number(form.dataset.uploadLimit ?? Infinity);
  return [...form.querySelectorAll("input[type=file]")].flatMap((input) =>
    [...input.files]
      .filter((file) => file.size > limit)
      .map((file) => ({
        pointer: `/${input.name}`,
        detail: `“${file.name}” has ${Math.ceil(file.size / 1e6)} MB; at most ${Math.floor(limit / 1e6)} MB are accepted.`,
      })),
  );
}

function send(form, submitter) {
  const large = tooLarge(form);
  if (large.length) return refuse(form, "", large);
  clear(form);
  const data = new FormData(form, submitter);
  const isCheck = submitter?.matches("[data-upload-check]") ?? false;
  if (isCheck) shorten(data);
  busy(form);
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json, text/html;q=0.5");
  request.upload.addEventListener("progress", (event) => event.lengthComputable && advance(form, event.loaded / event.total));
  request.addEventListener("load", () => answer(form, request, isCheck));
  request.addEventListener("error", () => refuse(form, "The connection broke before the file had arrived. Nothing was stored; try again."));
  request.addEventListener("abort", () => idle(form));
  part(form, "cancel")?.addEventListener("click", () => request.abort(), { once: true });
  request.send(data);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-upload]") || event.defaultPrevented) return;
  event.preventDefault();
  if (form.getAttribute("aria-busy") !== "true") send(form, event.submitter);
});
