// Opens and closes native dialogs. <a href="/keys/new" data-dialog="new-key"> opens <dialog id="new-key">
// (and stays a link where scripts are off); <button data-dialog-close> inside closes it. A click on the
// backdrop closes; Escape and the focus are the browser's. A dialog with data-open shows itself on load,
// which is how a server re-renders a dialog's form with errors.

function open(dialog) {
  if (!dialog.open) dialog.showModal();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog) {
    event.preventDefault();
    open(dialog);
    return;
  }
  const closer = event.target.closest?.("[data-dialog-close]");
  const onBackdrop = event.target.matches?.("dialog.dialog");
  if (closer || onBackdrop) event.target.closest("dialog")?.close();
});

function enhance(root) {
  root.querySelectorAll?.("dialog[data-open]").forEach(open);
}

document.addEventListener("htmx:load", (event) => enhance(event.target.parentElement ?? document));
enhance(document);
