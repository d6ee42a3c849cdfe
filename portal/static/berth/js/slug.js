// Proposes a slug while a name is typed: <input data-slug-of="id of the name's input">.
// As soon as somebody writes a slug of their own, it is left alone. [data-slug-shown] repeats it.
// Without this script the server makes the slug of the name where the field is empty.

const slugOf = (name) =>
  name
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .replaceAll("ß", "ss")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");

function show(slug) {
  document.querySelectorAll("[data-slug-shown]").forEach((place) => (place.textContent = slug || "…"));
}

for (const slug of document.querySelectorAll("[data-slug-of]")) {
  const name = document.getElementById(slug.dataset.slugOf);
  let own = slug.value !== "" && slug.value !== slugOf(name.value);
  slug.addEventListener("input", () => {
    own = slug.value !== "";
    show(slug.value);
  });
  name.addEventListener("input", () => {
    if (own) return;
    slug.value = slugOf(name.value);
    show(slug.value);
  });
  show(slug.value);
}
