// Test vectors without Python: a double damping and an Adam in JavaScript, replayed.
//
//     node examples/replay.js [FOLDER [ANSWERS]]
//
// FOLDER holds the vectors (`stepgauge vectors export FOLDER`); ANSWERS is where to write what was computed, one file a subject,
// for `stepgauge vectors replay SUBJECT --answers FILE`. Ends with 1 where a result is wrong or a bad call goes through.
"use strict";
const fs = require("fs"), path = require("path");

// Reading ----------------------------------------------------------------------------------------------------------------

function number(text) {                                   // "-0x1.8p-3" is −1.5 · 2⁻³, exactly
  const found = /^(-?)0x([01])(?:\.([0-9a-f]+))?p([+-]\d+)$/.exec(text);
  if (!found) return { nan: NaN, inf: Infinity, "-inf": -Infinity }[text];
  const [, sign, whole, digits = "", exponent] = found;
  return (sign ? -1 : 1) * parseInt(whole + digits, 16) * 2 ** (Number(exponent) - 4 * digits.length);
}

function value(tree) {                                    // an array becomes {shape, data}, with data as floats
  if (typeof tree === "string") return /^-?0x|^nan$|^-?inf$/.test(tree) ? number(tree) : tree;
  if (Array.isArray(tree)) return tree.map(value);
  if (tree === null || typeof tree !== "object") return tree;
  return Object.fromEntries(Object.entries(tree).map(([name, branch]) => [name, name === "shape" ? branch : value(branch)]));
}

// Algebra ----------------------------------------------------------------------------------------------------------------

const sum = (x) => x.reduce((total, entry) => total + entry, 0);
const dot = (x, y) => sum(x.map((entry, i) => entry * y[i]));
const mix = (t, x, y) => x.map((entry, i) => t * entry + (1 - t) * y[i]);
const rows = (A) => Array.from({ length: A.shape[0] }, (_, i) => A.data.slice(i * A.shape[1], (i + 1) * A.shape[1]));
const times = (A, x) => rows(A).map((row) => dot(row, x));
const vector = (data) => ({ shape: [data.length], data });
const scalar = (x) => ({ shape: [], data: [x] });

function must(holds, name) {
  if (!holds) throw new Error(name);
}

const finite = (x) => x.data.every(Number.isFinite);

function definite(H) {                                    // symmetric, and a Cholesky factor exists
  const A = rows(H), n = A.length;
  if (H.shape.length !== 2 || H.shape[1] !== n || A.some((row, i) => row.some((entry, j) => entry !== A[j][i]))) return false;
  for (let k = 0; k < n; k++) {
    if (!(A[k][k] > 0)) return false;
    for (let i = k + 1; i < n; i++) for (let j = k + 1; j < n; j++) A[i][j] -= A[i][k] * A[k][j] / A[k][k];
  }
  return true;
}

// R Algorithm 3 ----------------------------------------------------------------------------------------------------------

const weight = (sy, c, mu) => (sy < mu * c ? (1 - mu) * c / (c - sy) : 1);

function doubleDamping({ s, y, H, mu1, mu2 }) {
  must(s.shape.length === 1 && finite(s), "s");
  must(y.shape.length === 1 && y.shape[0] === s.shape[0] && finite(y), "y");
  must(finite(H) && H.shape[0] === s.shape[0] && definite(H), "H");
  must(mu1 > 0 && mu1 < 1, "mu1");
  must(mu2 > 0 && mu2 <= 1, "mu2");
  const Hy = times(H, y.data);
  const theta1 = weight(dot(s.data, y.data), dot(y.data, Hy), mu1);
  const s_t = mix(theta1, s.data, Hy);
  const theta2 = weight(dot(s_t, y.data), dot(s_t, s_t), mu2);
  const y_t = mix(theta2, y.data, s_t);
  return { theta1: scalar(theta1), s_t: vector(s_t), theta2: scalar(theta2), y_t: vector(y_t) };
}

// Kingma and Ba, Algorithm 1 ---------------------------------------------------------------------------------------------

const logistic = (h) => 1 / (1 + Math.exp(-h));
const PHI = {
  linear: [(h) => h, () => 1],
  relu: [(h) => Math.max(h, 0), (h) => (h > 0 ? 1 : 0)],
  tanh: [Math.tanh, (h) => 1 - Math.tanh(h) ** 2],
  logistic: [logistic, (h) => logistic(h) * logistic(-h)],
};

function slope(loss, output, y, n) {                      // of example n, with respect to the outputs
  if (loss === "mse") return output.map((o, j) => o - rows(y)[n][j]);
  const powers = output.map((o) => Math.exp(o - Math.max(...output)));
  return powers.map((power, j) => power / sum(powers) - (j === y.data[n] ? 1 : 0));
}

function gradient(model, theta, { x, y }) {               // of the mean loss, tensor by tensor: W_1, b_1, W_2, b_2, …
  const acts = model.layers.filter(([kind]) => kind === "Act").map(([, name]) => PHI[name]);
  const g = theta.map((tensor) => tensor.data.map(() => 0)), N = x.shape[0];
  rows(x).forEach((input, n) => {
    const a = [input], h = [];
    acts.forEach(([phi], l) => {
      h.push(times(theta[2 * l], a[l]).map((entry, i) => entry + theta[2 * l + 1].data[i]));
      a.push(h[l].map(phi));
    });
    let delta = slope(model.loss, a[acts.length], y, n);
    for (let l = acts.length - 1; l >= 0; l--) {
      delta = delta.map((entry, i) => entry * acts[l][1](h[l][i]));
      delta.forEach((entry, i) => {
        g[2 * l + 1][i] += entry / N;
        a[l].forEach((input, j) => { g[2 * l][i * a[l].length + j] += entry * input / N; });
      });
      delta = a[l].map((_, j) => dot(delta, rows(theta[2 * l]).map((row) => row[j])));
    }
  });
  return g;
}

function adam({ model, hyper, params, batches }) {
  const { alpha, beta1, beta2, eps, eta, gamma } = hyper;
  must(alpha > 0 && Number.isFinite(alpha), "alpha");
  must(beta1 >= 0 && beta1 < 1, "beta1");
  must(beta2 >= 0 && beta2 < 1, "beta2");
  must(eps > 0 && Number.isFinite(eps), "eps");
  must(eta >= 0, "eta");
  must(gamma >= 0, "gamma");
  const theta = params.flatMap(({ W, b }) => [W, b]).map(({ shape, data }) => ({ shape, data: [...data] }));
  theta.forEach((tensor) => must(finite(tensor), "params"));
  params.forEach(({ W, b }, l) => must(W.shape[0] === b.shape[0] && (l === 0 || W.shape[1] === params[l - 1].b.shape[0]), "params"));
  batches.forEach(({ x, y }) => must(finite(x) && finite(y) && x.shape[0] === y.shape[0], "batch"));
  batches.forEach(({ x }) => must(x.shape[1] === params[0].W.shape[1], "x"));
  const m = theta.map(({ data }) => data.map(() => 0)), v = m.map((data) => [...data]);
  return batches.map((batch, k) => {
    const t = k + 1, g = gradient(model, theta, batch), show = (tensors) => tensors.map((data, i) => ({ shape: theta[i].shape, data: [...data] }));
    theta.forEach((tensor, i) => tensor.data.forEach((_, j) => {
      m[i][j] = beta1 * m[i][j] + (1 - beta1) * g[i][j];
      v[i][j] = beta2 * v[i][j] + (1 - beta2) * g[i][j] ** 2;
      tensor.data[j] -= alpha * (m[i][j] / (1 - beta1 ** t)) / (Math.sqrt(v[i][j] / (1 - beta2 ** t)) + eps);
    }));
    const now = show(theta.map(({ data }) => data));
    return { g: show(g), m: show(m), v: show(v), W: now.filter((_, i) => i % 2 === 0), b: now.filter((_, i) => i % 2 === 1) };
  });
}

// Replaying --------------------------------------------------------------------------------------------------------------

function worst(right, shown) {                            // in bands, over every quantity that is shown
  if (Array.isArray(right)) return Math.max(0, ...right.map((part, i) => worst(part, shown[i])));
  return Math.max(0, ...right.data.map((text, i) => {
    const error = shown.data[i] === number(text) ? 0 : Math.abs(shown.data[i] - number(text));      // ∞ − ∞ is NaN
    return error === 0 ? 0 : Number.isNaN(error) ? Infinity : error / 2 ** right.float64[i];
  }));
}

function replay(subject, program, folder) {
  const { vectors, version } = JSON.parse(fs.readFileSync(path.join(folder, `${subject}.json`), "utf8"));
  const answers = {};
  let wrong = 0, right = 0;
  for (const { id, result, arguments: call, case: run, expected, steps } of vectors.filter(({ result }) => result !== "acceptable")) {
    try {
      answers[id] = program(value(call || run));
    } catch (error) {
      answers[id] = { error: error.message };
    }
    const refused = "error" in answers[id];
    const bands = refused || result === "invalid" ? NaN : Math.max(...(steps ? steps.slice(1) : [expected]).flatMap((step, k) => {
      const shown = steps ? answers[id][k] : answers[id];
      return Object.keys(shown).map((name) => worst(step[name], shown[name]));
    }));
    const ok = result === "invalid" ? refused : bands <= 1;
    if (ok) right += 1;
    else {
      wrong += 1;
      console.log(`${id}: ${refused ? `refused: ${answers[id].error}` : result === "invalid" ? "not refused" : `${bands} bands`}`);
    }
  }
  console.log(`${subject}, vectors ${version}: ${right} of ${right + wrong} as they should be`);
  return { wrong, answers: { format: "stepgauge answers 1", subject, dtype: "float64", answers } };
}

const [folder = path.join(__dirname, "..", "verify", "vectors", "data"), target] = process.argv.slice(2);
let wrong = 0;
for (const [subject, program] of [["damping.double_damping", doubleDamping], ["adam", adam]]) {
  const found = replay(subject, program, folder);
  wrong += found.wrong;
  if (target) fs.writeFileSync(path.join(target, `${subject}.json`), JSON.stringify(found.answers));
}
process.exitCode = wrong ? 1 : 0;
