// A secret that is shown once: <div class="secret" data-secret> (templates/parts/secret.html).
// Leaving the page asks first until it was copied or the person said that it is saved; after that, and when
// the page comes back from the browser's cache, the value is gone from the document.

const open = () => document.querySelectorAll("[data-secret]:not([data-kept])");

function forget(box) {
  box.querySelector("[data-secret-value]").textContent = "•••••••• not shown again";
  box.querySelectorAll("button").forEach((button) => button.remove());
  box.dataset.kept = "";
}

document.addEventListener("berth:copied", (event) => {
  const box = event.target.closest("[data-secret]");
  if (box && event.detail.done) box.dataset.kept = "";
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-secret-kept]");
  if (button) forget(button.closest("[data-secret]"));
});
addEventListener("beforeunload", (event) => {
  if (open().length) event.preventDefault();
});
addEventListener("pagehide", () => document.querySelectorAll("[data-secret]").forEach(forget));
