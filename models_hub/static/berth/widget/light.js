/* The light lane: runs a model's compact form (models_hub/browser) on the device that has it; no
   dependency, no eval. open(buffer) gives {signature, about, predict(rows), verify()}.
   A tensor is {t, s, d}: type, shape, data. Types: d double, f float32 (rounded as it is stored),
   i whole numbers, b truth values, s texts. The operators are ONNX's: https://onnx.ai/onnx/operators */
const ROOM = { d: Float64Array, f: Float32Array, i: Float64Array, b: Uint8Array, s: Array };
const STORED = { d: Float64Array, f: Float32Array, B: Uint8Array, h: Int16Array, l: Int32Array };

const volume = (shape) => shape.reduce((a, b) => a * b, 1);
const room = (t, s) => ({ t, s, d: new ROOM[t](volume(s)) });
const flat = (x, s) => ({ t: x.t, s, d: x.d });
const place = (axis, rank) => (axis < 0 ? axis + rank : axis);
const but = (shape, axis, n) => shape.map((m, k) => (k === axis ? n : m));

/* ---- each cell by itself, small shapes spread over large ones */
function common(shapes) {
  const rank = Math.max(...shapes.map((s) => s.length));
  const shape = Array(rank).fill(1);
  for (const s of shapes)
    s.forEach((n, k) => {
      const at = rank - s.length + k;
      if (n !== 1 && shape[at] !== 1 && shape[at] !== n) throw new Error(`shapes ${shapes.join(" and ")} do not fit`);
      if (n !== 1) shape[at] = n;
    });
  return shape;
}

/* Calls write(i, n, at, by) for each stretch of n cells of the outcome: its first cell is i, that of
   each x at[k], and the next ones lie by[k] further on (0: one cell for the whole stretch). */
function stretches(shape, xs, write) {
  const total = volume(shape);
  if (xs.every(({ d }) => d.length === 1 || d.length === total))
    return write(0, total, xs.map(() => 0), xs.map(({ d }) => +(d.length === total)));
  const last = shape.length - 1;
  const steps = xs.map(({ s }) => {
    const found = Array(shape.length).fill(0);
    for (let k = last, j = s.length - 1, step = 1; j >= 0; step *= s[j--], k--) found[k] = s[j] === 1 ? 0 : step;
    return found;
  });
  const [at, count, by] = [xs.map(() => 0), shape.map(() => 0), steps.map((found) => found[last])];
  for (let i = 0; i < total; i += shape[last]) {
    write(i, shape[last], at, by);
    for (let k = last - 1; k >= 0; k--) {
      const over = ++count[k] === shape[k];
      for (let x = 0; x < at.length; x++) at[x] += over ? (1 - shape[k]) * steps[x][k] : steps[x][k];
      if (!over) break;
      count[k] = 0;
    }
  }
}

const one = (f, t) => ([x]) => {
  const out = room(t ?? x.t, x.s);
  for (let i = 0; i < x.d.length; i++) out.d[i] = f(x.d[i]);
  return out;
};

const two = (f, t, whole = f) => ([x, y]) => {
  const out = room(t ?? x.t, common([x.s, y.s]));
  const [to, p, q, g] = [out.d, x.d, y.d, x.t === "i" ? whole : f];
  stretches(out.s, [x, y], (i, n, [a, b], [u, v]) => {
    for (const end = i + n; i < end; i++, a += u, b += v) to[i] = g(p[a], q[b]);
  });
  return out;
};

function where([c, x, y]) {
  const out = room(x.t, common([c.s, x.s, y.s]));
  stretches(out.s, [c, x, y], (i, n, [m, a, b], [w, u, v]) => {
    for (const end = i + n; i < end; i++, m += w, a += u, b += v) out.d[i] = c.d[m] ? x.d[a] : y.d[b];
  });
  return out;
}

function cast([x], { to }) {
  if ((x.t === "s") !== (to === "s")) throw new Error("Cast between texts and numbers");
  if (x.t === to) return x;
  return one(to === "i" ? Math.trunc : to === "b" ? (v) => v !== 0 : (v) => v, to)([x]);
}

function round(v) {
  const up = Math.round(v);
  return up - v === 0.5 && up % 2 ? up - 1 : up; // halves to the even side
}

/* ---- along one axis: [before, n, after] */
const split = (s, axis) => [volume(s.slice(0, axis)), s[axis], volume(s.slice(axis + 1))];

function lines(x, axis, f) {
  const [before, n, after] = split(x.s, axis);
  for (let b = 0; b < before; b++) for (let a = 0; a < after; a++) f(b * n * after + a, after, n, b * after + a);
}

const FOLDS = {
  Sum: [0, (a, v) => a + v],
  Mean: [0, (a, v) => a + v],
  SumSquare: [0, (a, v) => a + v * v],
  L1: [0, (a, v) => a + Math.abs(v)],
  L2: [0, (a, v) => a + v * v],
  Prod: [1, (a, v) => a * v],
  Max: [-Infinity, Math.max],
  Min: [Infinity, Math.min],
};

function reduce([x], { kind, axes, keepdims }) {
  if (kind === "LogSumExp") {
    const most = reduce([x], { kind: "Max", axes, keepdims: true });
    const shares = OPERATORS.Exp([OPERATORS.Sub([x, most])]);
    const logs = OPERATORS.Log([reduce([shares], { kind: "Sum", axes, keepdims: true })]);
    const sum = OPERATORS.Add([logs, most]);
    return keepdims ? sum : flat(sum, reduce([x], { kind: "Max", axes }).s);
  }
  const gone = new Set((axes ?? x.s.map((_, k) => k)).map((k) => place(k, x.s.length)));
  const [start, fold] = FOLDS[kind];
  let out = x;
  for (const axis of gone) {
    const next = { t: "d", s: but(out.s, axis, 1), d: new Float64Array(volume(out.s) / out.s[axis]) };
    lines(out, axis, (from, step, n, to) => {
      let sum = start;
      const inner = out !== x && (kind === "SumSquare" || kind === "L1" || kind === "L2") ? FOLDS.Sum[1] : fold;
      for (let k = 0; k < n; k++) sum = inner(sum, out.d[from + k * step]);
      next.d[to] = kind === "Mean" ? sum / n : sum;
    });
    out = next;
  }
  const shape = keepdims ? out.s : out.s.filter((_, k) => !gone.has(k));
  return { t: x.t, s: shape, d: ROOM[x.t].from(out.d, kind === "L2" ? Math.sqrt : undefined) };
}

const best = (better) => ([x], { axis, keepdims }) => {
  axis = place(axis, x.s.length);
  const out = room("i", but(x.s, axis, 1));
  lines(x, axis, (from, step, n, to) => {
    for (let k = 1; k < n; k++) if (better(x.d[from + k * step], x.d[from + out.d[to] * step])) out.d[to] = k;
  });
  return keepdims ? out : flat(out, x.s.filter((_, k) => k !== axis));
};

const softmax = (log) => ([x], { axis }) => {
  const out = room(x.t, x.s);
  lines(x, place(axis, x.s.length), (from, step, n) => {
    let most = -Infinity, sum = 0;
    for (let k = 0; k < n; k++) most = Math.max(most, x.d[from + k * step]);
    for (let k = 0; k < n; k++) sum += Math.exp(x.d[from + k * step] - most);
    for (let k = 0; k < n; k++) {
      const v = x.d[from + k * step] - most;
      out.d[from + k * step] = log ? v - Math.log(sum) : Math.exp(v) / sum;
    }
  });
  return out;
};

function top([x], { axis, k, largest }) {
  axis = place(axis, x.s.length);
  const [values, places] = [x.t, "i"].map((t) => room(t, but(x.s, axis, k)));
  const after = split(x.s, axis)[2];
  lines(x, axis, (from, step, n, line) => {
    const at = (j) => x.d[from + j * step];
    const order = Array.from({ length: n }, (_, j) => j).sort((i, j) => (largest ? at(j) - at(i) : at(i) - at(j)) || i - j);
    const to = Math.floor(line / after) * k * after + (line % after);
    for (let j = 0; j < k; j++) {
      values.d[to + j * after] = at(order[j]);
      places.d[to + j * after] = order[j];
    }
  });
  return [values, places];
}

function running([x], { axis, exclusive, reverse }) {
  const out = room(x.t, x.s);
  lines(x, place(axis, x.s.length), (from, step, n) => {
    for (let k = 0, sum = 0; k < n; k++) {
      const at = from + (reverse ? n - 1 - k : k) * step;
      out.d[at] = exclusive ? sum : sum + x.d[at];
      sum += x.d[at];
    }
  });
  return out;
}

/* ---- moving cells */
function reshape([x], { shape }) {
  const s = shape.map((n, k) => (n === 0 ? x.s[k] : n));
  const open = s.indexOf(-1);
  if (open >= 0) s[open] = volume(x.s) / -volume(s);
  return flat(x, s);
}

function concat(xs, { axis }) {
  axis = place(axis, xs[0].s.length);
  const out = room(xs[0].t, but(xs[0].s, axis, xs.reduce((n, x) => n + x.s[axis], 0)));
  const [before, n, after] = split(out.s, axis);
  let start = 0;
  for (const x of xs) {
    const width = x.s[axis] * after;
    for (let b = 0; b < before; b++)
      for (let k = 0; k < width; k++) out.d[b * n * after + start + k] = x.d[b * width + k];
    start += width;
  }
  return out;
}

function gather([x, at], { axis }) {
  axis = place(axis, x.s.length);
  const [before, n, after] = split(x.s, axis);
  const out = room(x.t, [...x.s.slice(0, axis), ...at.s, ...x.s.slice(axis + 1)]);
  let to = 0;
  for (let b = 0; b < before; b++)
    for (const k of at.d) {
      const from = (b * n + place(k, n)) * after;
      for (let a = 0; a < after; a++) out.d[to++] = x.d[from + a];
    }
  return out;
}

function gatherElements([x, at], { axis }) {
  axis = place(axis, x.s.length);
  const [, n, after] = split(x.s, axis);
  const [, m] = split(at.s, axis);
  const out = room(x.t, at.s);
  for (let i = 0; i < at.d.length; i++)
    out.d[i] = x.d[(Math.floor(i / (m * after)) * n + place(at.d[i], n)) * after + (i % after)];
  return out;
}

function transpose([x], { perm }) {
  const order = perm ?? x.s.map((_, k) => k).reverse();
  const out = room(x.t, order.map((k) => x.s[k]));
  const steps = order.map((k) => volume(x.s.slice(k + 1)));
  for (let i = 0; i < out.d.length; i++) {
    let at = 0;
    for (let k = order.length - 1, rest = i; k >= 0; rest = Math.floor(rest / out.s[k--])) at += (rest % out.s[k]) * steps[k];
    out.d[i] = x.d[at];
  }
  return out;
}

function product([x, y]) {
  if (x.s.length !== 2 || y.s.length !== 2) throw new Error("MatMul of more than two dimensions");
  const [[n, m], [, k]] = [x.s, y.s];
  const out = room(x.t, [n, k]);
  const line = new Float64Array(k);
  for (let i = 0; i < n; i++) {
    line.fill(0);
    for (let j = 0; j < m; j++) {
      const v = x.d[i * m + j];
      for (let c = 0; c < k; c++) line[c] += v * y.d[j * k + c];
    }
    out.d.set(line, i * k);
  }
  return out;
}

/* ---- what ai.onnx.ml adds */
function label([x, keys, values, other], attrs) {
  const places = (attrs.places ??= new Map(Array.from(keys.d, (key, k) => [key, k])));
  const out = room(values.t, x.s);
  for (let i = 0; i < x.d.length; i++) out.d[i] = places.has(x.d[i]) ? values.d[places.get(x.d[i])] : other.d[0];
  return out;
}

/* Nodes in preorder: a node's true branch is the next one, `other` the false one; a leaf has
   feature -1, and `other` says where its weights begin, one for each of its tree's targets. */
function trees([x, feature, threshold, other, weights, roots, targets, base, modes, missing], { n, mean }) {
  const [rows, width] = x.s;
  const [X, F, T, O, W, M, N] = [x, feature, threshold, other, weights, modes, missing].map((c) => c?.d);
  const out = room("f", [rows, n]);
  const sums = new ROOM[x.t === "f" ? "f" : "d"](n); // each sum is rounded where the graph is in float
  for (let row = 0; row < rows; row++) {
    const cells = X.slice(row * width, (row + 1) * width);
    sums.fill(0);
    let target = 0;
    for (const root of roots.d) {
      let k = root, f;
      if (M.length === 1 && M[0] === 0 && !N) while ((f = F[k]) >= 0) k = cells[f] <= T[k] ? k + 1 : O[k];
      else
        while ((f = F[k]) >= 0) {
          const v = cells[f], t = T[k], mode = M[M.length === 1 ? 0 : k];
          const yes = mode === 0 ? v <= t : mode === 1 ? v < t : mode === 2 ? v >= t : mode === 3 ? v > t : (mode === 4) === (v === t);
          k = yes || (v !== v && N?.[k]) ? k + 1 : O[k];
        }
      const count = targets.d[target++];
      for (let j = 0; j < count; j++) sums[targets.d[target++]] += W[O[k] + j];
    }
    for (let j = 0; j < n; j++) out.d[row * n + j] = (mean ? sums[j] / roots.d.length : sums[j]) + base.d[j];
  }
  return out;
}

const OPERATORS = {
  Abs: one(Math.abs), Neg: one((v) => -v), Exp: one(Math.exp), Log: one(Math.log), Sqrt: one(Math.sqrt),
  Sign: one(Math.sign), Floor: one(Math.floor), Ceil: one(Math.ceil), Round: one(round),
  Sin: one(Math.sin), Cos: one(Math.cos), Tan: one(Math.tan), Sinh: one(Math.sinh), Cosh: one(Math.cosh), Tanh: one(Math.tanh),
  Reciprocal: one((v) => 1 / v), Sigmoid: one((v) => 1 / (1 + Math.exp(-v))), Relu: one((v) => Math.max(v, 0)),
  Not: one((v) => !v), IsNaN: one((v) => v !== v, "b"), IsInf: one((v) => Math.abs(v) === Infinity, "b"),
  Add: two((a, b) => a + b), Sub: two((a, b) => a - b), Mul: two((a, b) => a * b),
  Div: two((a, b) => a / b, null, (a, b) => Math.trunc(a / b)), Pow: two((a, b) => (a === 1 ? 1 : a ** b)),
  Max: two(Math.max), Min: two(Math.min), Equal: two((a, b) => a === b, "b"),
  Less: two((a, b) => a < b, "b"), LessOrEqual: two((a, b) => a <= b, "b"),
  Greater: two((a, b) => a > b, "b"), GreaterOrEqual: two((a, b) => a >= b, "b"),
  And: two((a, b) => a && b), Or: two((a, b) => a || b), Xor: two((a, b) => a !== b),
  Where: where, Cast: cast, Reduce: reduce, ArgMax: best((a, b) => a > b), ArgMin: best((a, b) => a < b),
  Softmax: softmax(false), LogSoftmax: softmax(true), TopK: top, CumSum: running, Reshape: reshape, Concat: concat,
  Gather: gather, GatherElements: gatherElements, Transpose: transpose, MatMul: product, Label: label, Trees: trees,
}; // prettier-ignore

/* ---- the file: "BRTH", the header's length, the header (JSON in ASCII), sections of numbers */
export function parse(buffer) {
  const bytes = new Uint8Array(buffer);
  const end = 8 + new DataView(buffer).getUint32(4, true);
  let text = "";
  for (let i = 0; i < end; i++) text += String.fromCharCode(bytes[i]);
  if (text.slice(0, 4) !== "BRTH") throw new Error("This is no model's file.");
  const head = JSON.parse(text.slice(8));
  if (head.format !== 1) throw new Error("This model's file is of another format.");
  return [head, end];
}

function stored(buffer, start, [t, s, kind, from]) {
  if (t === "s") return { t, s, d: from };
  const d = new STORED[kind](buffer, start + from, volume(s));
  return { t, s, d: t in ROOM && !(d instanceof ROOM[t]) ? ROOM[t].from(d) : d };
}

/* rows: objects of values as coerced; what is missing is null. */
export function columns(head, rows) {
  const texts = new Set(head.signature.inputs.filter((one) => one.type === "string").map((one) => one.name));
  return head.inputs.map((name) =>
    texts.has(name)
      ? { t: "s", s: [rows.length, 1], d: rows.map((row) => row[name] ?? "") }
      : { t: "d", s: [rows.length, 1], d: Float64Array.from(rows, (row) => row[name] ?? NaN) },
  );
}

export function answer({ signature: { output } }, values, chances) {
  const labels = output.labels;
  const named = (value) => labels.find((one) => one === value || (typeof one === "boolean" && +one === value)) ?? value;
  const found = { predictions: Array.from(values, labels ? named : Number) };
  if (chances) {
    found.probabilities = found.predictions.map((_, k) => Array.from(chances.slice(k * labels.length, (k + 1) * labels.length)));
    found.labels = labels;
  }
  const numbers = [...(labels ? [] : found.predictions), ...(chances ?? [])];
  if (!numbers.every(Number.isFinite)) throw new Error("The model has no finite answer.");
  return found;
}

/* Does the device answer the file's own rows as the server did? Throws where it does not. */
export function check({ check: due }, got) {
  const near = (a, b) => Math.abs(a - b) <= 1e-5 * Math.max(Math.abs(b), 1e-2);
  const fits = (a, b) => (typeof b === "number" ? near(a, b) : a === b);
  const same = due.predictions.every((value, k) => fits(got.predictions[k], value));
  if (!same || !(due.probabilities ?? []).flat().every((p, k) => near(got.probabilities.flat()[k], p)))
    throw new Error("This device answers otherwise than the model's own rows.");
}

export function open(buffer) {
  const [head, start] = parse(buffer);
  const constants = head.constants.map((one) => stored(buffer, start, one));
  const predict = (rows) => {
    const values = [...constants, ...columns(head, rows)];
    for (const [operator, inputs, attrs] of head.nodes) {
      const found = OPERATORS[operator](inputs.map((k) => values[k]), attrs ?? {});
      values.push(...[found].flat());
    }
    return answer(head, ...head.outputs.map((k) => values[k].d));
  };
  return { signature: head.signature, about: head.about, predict, verify: () => check(head, predict(head.check.rows)) };
}
