// A place to drop a file: <div class="drop" data-drop> round an <input type="file">.
// Dropping sets the input's files, so the form stays an ordinary form; the button of the input is the
// way without dragging. Says the size of what was chosen in [data-drop-size].

const units = ["B", "kB", "MB", "GB"];

function size(bytes) {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const number = bytes / 1000 ** power;
  return `${number.toLocaleString("en", { maximumFractionDigits: number < 10 && power ? 1 : 0 })} ${units[power]}`;
}

const zoneOf = (event) => event.target.closest?.("[data-drop]");

function show(zone, on) {
  zone.classList.toggle("over", on);
}

document.addEventListener("dragover", (event) => {
  const zone = zoneOf(event);
  if (!zone || !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  show(zone, true);
});

document.addEventListener("dragleave", (event) => {
  const zone = zoneOf(event);
  if (zone && !zone.contains(event.relatedTarget)) show(zone, false);
});

document.addEventListener("drop", (event) => {
  const zone = zoneOf(event);
  if (!zone) return;
  event.preventDefault();
  show(zone, false);
  const input = zone.querySelector("input[type=file]");
  const chosen = new DataTransfer();
  const files = [...event.dataTransfer.files];
  for (const file of input.multiple ? files : files.slice(0, 1)) chosen.items.add(file);
  if (!chosen.files.length) return;
  input.files = chosen.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});

document.addEventListener("change", (event) => {
  const zone = zoneOf(event);
  if (!zone || event.target.type !== "file") return;
  const files = [...event.target.files];
  zone.classList.toggle("filled", files.length > 0);
  const place = zone.querySelector("[data-drop-size]");
  if (place) place.textContent = files.map((file) => `${size(file.size)} chosen`).join(", ");
});
