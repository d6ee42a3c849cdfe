/* An answer as an applicant reads it; the same as predictions/widget/estimate.py says it. */
const SYMBOLS = ["€", "$", "£", "¥"];
const CURRENCIES = ["EUR", "USD", "GBP", "CHF", "JPY", "PLN", "SEK", "DKK", "NOK", "CAD", "AUD"];
const MOST_LABELS = 5;

/* Halves go to the even side, as Python rounds. */
const even = (value) => (Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value));

/* To three significant digits: 62,034.17 is about 62,000. */
export function rounded(value) {
  if (value === 0 || !Number.isFinite(value)) return value;
  const [mantissa, power] = value.toExponential(60).split("e"); // exact for all that can lie half way
  const digits = mantissa.replace(/[-.]/g, "");
  if (!/^..[02468]50*$/.test(digits)) return Number(value.toPrecision(3));
  return Number(`${Math.sign(value) * Number(digits.slice(0, 3))}e${power - 2}`);
}

/* Thousands grouped, no needless decimals: as "%.15g" writes it. */
export function spoken(value) {
  const [mantissa, power] = value.toExponential(14).split("e");
  const tidy = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power < -4 || power >= 15) return `${tidy(mantissa)}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  const [whole, ...decimals] = tidy(value.toFixed(14 - power)).split(".");
  return [whole.replace(/\B(?=(\d{3})+$)/g, ","), ...decimals].join(".");
}

/* Money's unit stands in front: “€62,000 per year”, “EUR 62,000”, “12 weeks”. */
export function withUnit(number, unit) {
  const [, first, rest] = unit.trim().match(/^([^ ]*) ?(.*)$/s);
  const symbol = SYMBOLS.find((one) => first.startsWith(one));
  const words = (...parts) => parts.filter(Boolean).join(" ");
  if (symbol) return words(symbol + number, first.slice(symbol.length), rest);
  if (CURRENCIES.includes(first.toUpperCase())) return words(`${first}\u00a0${number}`, rest);
  return unit ? `${number}\u00a0${unit}` : number;
}

const label = (value) => (typeof value === "boolean" ? (value ? "Yes" : "No") : typeof value === "number" ? spoken(value) : value);

function percent(share) {
  const rate = even(100 * share);
  return [rate, rate === 0 ? "less than 1 %" : rate === 100 ? "more than 99 %" : `${rate} %`];
}

/* {headline, value, likelihood, likelihoods: [[label, text]], told}; told is what the site around hears. */
export function estimate({ output }, found) {
  const first = found.predictions[0];
  const isNumber = output.kind === "regression";
  const number = isNumber ? rounded(first) : null;
  const headline = isNumber ? withUnit(spoken(number), output.unit) : label(first);
  const rows = (found.probabilities?.[0] ?? []).map((share, k) => [label(output.labels[k]), ...percent(share)]);
  rows.sort((a, b) => b[1] - a[1]);
  return {
    headline,
    value: isNumber ? spoken(number).replaceAll(",", "") : headline,
    likelihood: rows.find(([name]) => name === headline)?.[2] ?? "",
    likelihoods: rows.length > 2 ? rows.slice(0, MOST_LABELS).map(([name, , text]) => [name, text]) : [],
    told: isNumber ? { text: headline, value: number, unit: output.unit } : { text: headline, label: first },
  };
}
