/* The heavy lane: onnxruntime's own build for browsers (WebAssembly, one thread) runs the graph as it is.
   The same file and the same interface as light.js; `folder` is where the engine's files lie, with a slash. */
import { answer, check, columns, parse } from "./light.js";

export async function open(buffer, folder) {
  const [head, start] = parse(buffer);
  const ort = await import(`${folder}ort.wasm.min.mjs`);
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: folder });
  const session = await ort.InferenceSession.create(new Uint8Array(buffer, start), { executionProviders: ["wasm"] });
  const predict = async (rows) => {
    const tensors = columns(head, rows).map(({ t, s, d }) => new ort.Tensor(t === "s" ? "string" : "float64", d, s));
    const found = await session.run(Object.fromEntries(head.inputs.map((name, k) => [name, tensors[k]])));
    return answer(head, ...head.outputs.map((name) => Array.from(found[name].data, (v) => (typeof v === "bigint" ? Number(v) : v))));
  };
  const verify = async () => check(head, await predict(head.check.rows));
  return { signature: head.signature, about: head.about, predict, verify };
}
