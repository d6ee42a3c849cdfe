/* The site's look on the applicant's page: checked, and only as far as everything stays readable.
   dress(root, {scheme, accent, bg, fg, muted, radius, font}); each value is CSS text or empty.
   Contrast as in WCAG 2.2 (relative luminance, ratio); set through the CSSOM, which a strict policy allows. */
const TEXT = 4.5;
const EDGE = 3;

const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const brush = canvas.getContext("2d", { willReadFrequently: true });

export function dress(root, look) {
  const style = root.style;
  style.cssText = "";
  if (["light", "dark"].includes(look.scheme)) style.colorScheme = look.scheme;
  let bg = colour(look.bg);
  if (bg) style.colorScheme = luminance(bg) < 0.18 ? "dark" : "light";
  const page = getComputedStyle(document.body);
  bg ??= colour(page.backgroundColor);
  const fg = readable([colour(look.fg), colour(token("--ink")), [0, 0, 0], [255, 255, 255]], bg);
  if (look.bg || look.fg) ground(style, bg, fg, colour(look.muted));
  accent(style, colour(look.accent), bg, fg);
  if (fits("border-radius", look.radius)) set(style, { "--radius": look.radius, "--radius-large": look.radius });
  if (fits("font-family", look.font)) set(style, { "--sans": look.font });
}

function ground(style, bg, fg, muted) {
  set(style, {
    "--paper": css(bg),
    "--raised": css(bg),
    "--ground": css(bg),
    "--sunken": css(towards(bg, fg, 1.06)),
    "--line": css(towards(bg, fg, 1.3)),
    "--line-strong": css(towards(bg, fg, 1.6)),
    "--edge": css(towards(bg, fg, EDGE + 0.2)),
    "--ink": css(fg),
    "--muted": css(firm(muted ?? towards(bg, fg, TEXT + 0.5), bg, fg)),
    "--bad": css(firm(colour(token("--bad")), bg, fg)),
  });
}

function accent(style, wanted, bg, fg) {
  if (!wanted) return;
  const ink = readable([[255, 255, 255], [0, 0, 0]], wanted);
  set(style, {
    "--accent": css(wanted),
    "--accent-strong": css(mix(wanted, ink[0] ? [0, 0, 0] : [255, 255, 255], 0.15)),
    "--accent-ink": css(ink),
    "--accent-wash": css(mix(bg, wanted, 0.1)),
    "--link": css(contrast(wanted, bg) >= TEXT ? wanted : fg),
  });
}

function colour(text) {
  if (!fits("color", text)) return null;
  const probe = document.createElement("i");
  probe.style.color = text;
  document.body.append(probe);
  brush.clearRect(0, 0, 1, 1);
  brush.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  brush.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
  return a === 255 ? [r, g, b] : null;
}

const fits = (property, text) => typeof text === "string" && text.length > 0 && text.length < 200 && !/url|var|env|[;{}\\]/i.test(text) && CSS.supports(property, text);
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const set = (style, values) => Object.entries(values).forEach(([name, value]) => style.setProperty(name, value));
const css = ([r, g, b]) => `rgb(${Math.round(r)} ${Math.round(g)} ${Math.round(b)})`;
const mix = (a, b, share) => a.map((part, i) => part + (b[i] - part) * share);

function luminance(rgb) {
  const [r, g, b] = rgb.map((part) => {
    const s = part / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/* The first colour that can be read on the ground, else the one that can be read best. */
function readable(colours, bg) {
  const known = colours.filter(Boolean);
  return known.find((one) => contrast(one, bg) >= TEXT) ?? known.sort((a, b) => contrast(b, bg) - contrast(a, bg))[0];
}

/* The colour itself, else as little moved towards the ink as makes it readable. */
function firm(wanted, bg, fg) {
  for (let share = 0; share < 1; share += 0.05) {
    const found = mix(wanted, fg, share);
    if (contrast(found, bg) >= TEXT) return found;
  }
  return fg;
}

/* From the ground towards the ink, as little as gives the contrast. */
function towards(bg, fg, ratio) {
  for (let share = 0.02; share < 1; share += 0.02) {
    const found = mix(bg, fg, share);
    if (contrast(found, bg) >= ratio) return found;
  }
  return fg;
}
