// <details data-menu>: closes on Escape (and gives the focus back), on a click elsewhere, and when the focus leaves.

const others = (inside) =>
  [...document.querySelectorAll("details[data-menu][open]")].filter((menu) => !menu.contains(inside));
const close = (menu) => menu.removeAttribute("open");

document.addEventListener("click", (event) => others(event.target).forEach(close));
document.addEventListener("focusin", (event) => others(event.target).forEach(close));
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("details[data-menu][open]");
  if (!menu) return;
  event.preventDefault();
  close(menu);
  menu.querySelector("summary").focus();
});
