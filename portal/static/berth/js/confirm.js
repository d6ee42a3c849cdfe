// Asks before a form is sent. On the form or on its button:
//   data-confirm="What happens then, as a question." data-confirm-verb="Revoke the key" [data-confirm-danger]
// hx-confirm goes through the same dialog. Without this script the form is sent without asking, so what
// can't be undone also asks on the server.

const dialog = document.getElementById("confirm");
const sure = new WeakSet();

function ask({ question, verb = "Continue", danger = false }) {
  const button = dialog.querySelector("[value=yes]");
  dialog.querySelector("[data-confirm-question]").textContent = question;
  button.textContent = verb;
  button.classList.toggle("danger", danger);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function wish(element) {
  const { confirm: question, confirmVerb: verb, confirmDanger: danger } = element.dataset;
  return { question, verb: verb || element.textContent.trim(), danger: danger !== undefined };
}

// In the capture phase, so that neither htmx nor upload.js sees a form that nobody has agreed to.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const asking = [event.submitter, form].find((element) => element?.dataset.confirm);
  if (!dialog || !asking || sure.delete(form)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const { submitter } = event;
  if (!(await ask(wish(asking)))) return;
  sure.add(form);
  form.requestSubmit(submitter);
}, true);

document.addEventListener("htmx:confirm", async (event) => {
  const { question, elt, issueRequest } = event.detail;
  if (!dialog || !question) return;
  event.preventDefault();
  if (await ask({ ...wish(elt), question, verb: elt.dataset.confirmVerb || "Continue" })) issueRequest(true);
});
