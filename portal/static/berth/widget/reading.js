/* What is written in the form, as values: the same as predictions/forms.py and berth's coercion make of it.
   read(signature, words, data) gives {row, errors, doubts}: values by field, messages by field, sentences. */
const HOLES = new Set(["", "na", "n/a", "nan", "null", "none"]);
const TRUTHS = new Map([
  ...["true", "t", "yes", "y", "on", "1", "1.0"].map((word) => [word, true]),
  ...["false", "f", "no", "n", "off", "0", "0.0"].map((word) => [word, false]),
]);
const WHOLE = /^[-+]?[0-9]+$/;
const DECIMAL = /^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$/;
const GROUPED = /^[-+]?([1-9][0-9]{0,2}(,[0-9]{3})+|[0-9]*)(\.[0-9]*)?$/;
const LONGEST_NUMBER = 400;
const swapped = (text) => text.replace(/[.,]/g, (sign) => (sign === "." ? "," : "."));
const within = (field, value) => value >= (field.minimum ?? -Infinity) && value <= (field.maximum ?? Infinity);

/* "45.000,5" and "45,000.5" are the same number; where a text reads both ways the field's range tells. */
export function plain(text, field) {
  let digits = text.trim();
  const units = new Set([field.unit, field.unit.split(" ")[0], "€", "$", "£", "%"]);
  for (const unit of [...units].filter(Boolean).sort((a, b) => b.length - a.length)) {
    if (digits.startsWith(unit)) digits = digits.slice(unit.length);
    if (digits.endsWith(unit)) digits = digits.slice(0, -unit.length);
  }
  digits = digits.trim().replace(/[\s\u00a0\u202f'’_]+/g, "").replaceAll("\u2212", "-");
  const readings = [digits, swapped(digits)]
    .filter((one) => GROUPED.test(one) && /[0-9]/.test(one))
    .map((one) => one.replaceAll(",", ""));
  const doubt = (one) => 2 * !within(field, Number(one)) + (field.type === "integer" && one.includes("."));
  return readings.length ? readings.reduce((best, one) => (doubt(one) < doubt(best) ? one : best)) : text;
}

/* A number, null for a sign of a missing one, a BigInt where a double can't hold it, else the text. */
export function number(text) {
  const digits = text.trim();
  if (HOLES.has(digits.toLowerCase())) return null;
  if (digits.length > LONGEST_NUMBER) return text;
  if (!WHOLE.test(digits)) return DECIMAL.test(digits) ? Number(digits) : text;
  const exact = BigInt(digits.replace("+", ""));
  return Number.isFinite(Number(exact)) && BigInt(Number(exact)) === exact ? Number(exact) : exact;
}

function truth(text) {
  const word = text.trim().toLowerCase();
  return HOLES.has(word) ? null : (TRUTHS.get(word) ?? text);
}

function valueOf(field, { written }, text) {
  if (field.type === "boolean") return truth(text);
  if (written) return written.includes(text) ? field.choices[written.indexOf(text)] : text;
  return field.type === "string" ? text : number(plain(text, field));
}

const isClosed = ({ control }) => control === "radio" || control === "select";

/* The code of what is wrong with what was sent; "" for what reads as a value. */
function unread(field, words, value) {
  if (value === null) return field.required ? "missing" : "";
  const closed = isClosed(words);
  if (closed && field.type !== "boolean") return field.choices.includes(value) ? "" : "unknown_choice";
  if (typeof value === "string" && field.type !== "string") return closed ? "unknown_choice" : "wrong_type";
  return "";
}

/* The codes that a value earns, in the server's order; those that a person enforced refuse it. */
export function judge(field, value) {
  if (value === null || value === undefined) return field.nullable ? [] : [["null", true]];
  if (field.type === "string") {
    if (typeof value !== "string") return [["wrong_type", true]];
    if (value.includes("\0") || value.isWellFormed?.() === false) return [["not_text", true]];
  } else if (field.type === "boolean") {
    if (Number(value) !== 0 && Number(value) !== 1) return [["wrong_type", true]];
  } else {
    if (typeof value === "bigint") return [["inexact", true]];
    if (typeof value !== "number") return [["wrong_type", true]];
    if (!Number.isFinite(value)) return [["not_finite", true]];
  }
  const found = [];
  const known = field.choices?.some((choice) => (typeof value === "string" ? choice === value : Number(choice) === Number(value)));
  if (field.choices && !known) found.push(["unknown_choice", field.enforced.includes("choices")]);
  if (field.type !== "string" && !within(field, Number(value))) found.push(["outside_range", field.enforced.includes("range")]);
  if (field.type === "integer" && value % 1) found.push(["not_whole", field.enforced.includes("integer")]);
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

export function read(signature, words, data) {
  const [row, errors, doubts] = [{}, {}, []];
  signature.inputs.forEach((field, k) => {
    const said = words[k];
    const sent = said.control === "checkbox" ? String(data.has(said.input)) : (data.get(said.input) ?? "").trim();
    const value = sent ? valueOf(field, said, sent) : null;
    let code = unread(field, said, value);
    if (!code) {
      row[field.name] = value ?? (field.nullable ? null : field.default);
      const findings = judge(field, row[field.name]);
      code = findings.find(([, fatal]) => fatal)?.[0] ?? "";
      for (const [doubt] of findings) doubts.push([field.name, said.doubts[doubt]]);
    }
    if (code) errors[field.name] = said.messages[code] ?? code;
  });
  const token = (name) => name.replaceAll("~", "~0").replaceAll("/", "~1");
  doubts.sort(([a], [b]) => (token(a) < token(b) ? -1 : token(a) > token(b) ? 1 : 0));
  return { row, errors, doubts: doubts.map(([, sentence]) => sentence) };
}
