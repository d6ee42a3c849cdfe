// Copies text. <button data-copy="#id">: the text (or value) of that element;
// <button data-copy>: the code of the nearest .snippet or .secret.
// The button says "Copied" for two seconds; a screen reader hears it through the toast's live region.

function sourceOf(button) {
  const selector = button.dataset.copy;
  if (selector) return document.querySelector(selector);
  return button.closest(".snippet, .secret")?.querySelector("code");
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // plain http, or the person said no
  }
}

function select(element) {
  getSelection().selectAllChildren(element);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const source = sourceOf(button);
  if (!source) return;
  const done = await write((source.value ?? source.textContent).trim());
  if (!done) select(source);
  const label = button.querySelector("[data-label]") ?? button;
  label.dataset.was ??= label.textContent;
  label.textContent = done ? "Copied" : "Press Ctrl+C";
  button.dispatchEvent(new CustomEvent("berth:copied", { bubbles: true, detail: { done } }));
  clearTimeout(button.timer);
  button.timer = setTimeout(() => (label.textContent = label.dataset.was), 2000);
});
