/* The applicant's form where their own device answers: form[data-device]. The model's file is fetched as the page
   opens; from then on the page may reach nothing at all, and works without a connection. Nothing typed is sent.
   Says on the document what form.js says: berth:submit, berth:result, berth:error. */
import { estimate } from "./estimate.js";
import { read } from "./reading.js";
import { changed, region, report, say, tell } from "./telling.js";

const form = document.querySelector("[data-device]");
const words = JSON.parse(document.getElementById("device-words").textContent);
const shape = (name) => document.querySelector(`template[data-shape="${name}"]`).content.cloneNode(true);
let loading = null;

for (const told of form.querySelectorAll("[data-told]")) told.hidden = told.dataset.told !== "device";
allow("form-action 'none'; base-uri 'none'"); // from here on the form can't be sent, by nobody
document.addEventListener("input", (event) => event.target.closest("[data-device]") && changed());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (form.ariaBusy !== "true") ask();
});
load().catch(() => {}); // said when somebody asks

/* A policy more: policies only ever take away. */
function allow(policy) {
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = policy;
  document.head.append(meta);
}

function load() {
  loading ??= opened().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function opened() {
  const [{ open }, response] = await Promise.all([
    import(words.lane === "light" ? "./light.js" : "./heavy.js"),
    fetch(words.file, { credentials: "omit" }),
  ]);
  if (!response.ok) throw new Error(`The file's status is ${response.status}.`);
  const buffer = await response.arrayBuffer();
  performance.mark("berth:file");
  const model = await open(buffer, words.folder);
  await model.verify();
  performance.mark("berth:model");
  allow("connect-src 'none'; img-src 'self'; frame-src 'none'");
  return model;
}

async function ask() {
  form.ariaBusy = "true";
  say("submit");
  let failure = "loading-failed";
  try {
    const model = await load();
    failure = "no-prediction";
    const { row, errors, doubts } = read(model.signature, words.fields, new FormData(form));
    refuse(errors);
    region(document, "notice").replaceChildren();
    region(document, "result").replaceChildren();
    if (!Object.keys(errors).length) show(estimate(model.signature, await model.predict([row])), doubts);
    performance.mark("berth:answer");
    report(422);
  } catch (error) {
    console.error(error);
    tell(failure);
  } finally {
    form.ariaBusy = "false";
  }
}

function refuse(errors) {
  const wrong = words.fields.filter((field) => errors[field.name]);
  for (const field of words.fields) mark(field, errors[field.name]);
  const problems = wrong.length ? shape("problems") : null;
  const list = problems?.querySelector("ul");
  list?.replaceChildren(...wrong.map((field) => line(list, field, errors[field.name])));
  problems?.querySelector("[autofocus]")?.removeAttribute("autofocus");
  region(document, "problems").replaceChildren(...(problems ? [problems] : []));
  document.title = document.title.replace(/^(Problem|Your estimate): /, "");
  if (wrong.length) document.title = `Problem: ${document.title}`;
}

function line(list, field, error) {
  const item = list.querySelector("li").cloneNode(true);
  const link = item.querySelector("a");
  link.href = `#${field.target}`;
  link.textContent = `${field.label}: ${error}`;
  return item;
}

/* The error below its control, and the control told about it. */
function mark(field, error) {
  const control = document.getElementById(field.id);
  const id = `${field.id}-error`;
  document.getElementById(id)?.remove();
  const about = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((one) => one && one !== id);
  if (error) {
    const found = shape("error").firstElementChild;
    found.id = id;
    found.querySelector("span").textContent = error;
    control.closest(".field").append(found);
    about.push(id);
  }
  about.length ? control.setAttribute("aria-describedby", about.join(" ")) : control.removeAttribute("aria-describedby");
  if (control.matches("input[type=text], select")) error ? (control.ariaInvalid = "true") : control.removeAttribute("aria-invalid");
}

function show(answer, doubts) {
  const page = shape("estimate");
  const part = (name, there) => {
    const found = page.querySelector(`[data-part="${name}"]`);
    if (!there) found.remove();
    return found;
  };
  page.querySelector(".estimate").dataset.event = JSON.stringify(answer.told);
  const data = page.querySelector("data");
  [data.value, data.textContent] = [answer.value, answer.headline];
  part("likelihood", answer.likelihood).querySelector("span").textContent = answer.likelihood;
  const body = part("likelihoods", answer.likelihoods.length).querySelector("tbody");
  fill(body, answer.likelihoods, (row, [name, text]) => {
    [row.cells[0].textContent, row.cells[1].textContent] = [name, text];
  });
  fill(part("doubts", doubts.length).querySelector("ul"), doubts, (item, text) => (item.textContent = text));
  region(document, "result").replaceChildren(page);
  document.title = `Your estimate: ${document.title}`;
}

/* As many copies of the first child as there are things, each filled in. */
function fill(parent, things, write) {
  const one = parent.firstElementChild;
  parent.replaceChildren(
    ...things.map((thing) => {
      const copy = one.cloneNode(true);
      write(copy, thing);
      return copy;
    }),
  );
}
