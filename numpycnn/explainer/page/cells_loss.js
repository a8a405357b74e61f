// Losses: dx is the gradient that the backward pass begins with.

const lossCheck = (n, abs) => ({
  label: "loss of this image",
  line: [],
  value: n.loss(),
  stored: Number(n.attrs.loss),
  abs,
  n: 64,
});
const perN = (n) => (n.attrs.n > 1 ? ` The loss is a ${n.attrs.weighted ? "weighted " : ""}mean over the batch of ${n.attrs.n}.` : "");

const labelOf = (n) =>
  n.attrs.assumed
    ? `No label was given, so the class that was predicted, ${n.className(n.attrs.label)}, stands in for it`
    : `The label is ${n.className(n.attrs.label)}`;

// y and v at class k, where the loss is more than the label's log
const weightsOf = (n, k) =>
  (n.attrs.smoothing ? ` With label smoothing ${n.attrs.smoothing} y is ${text(n.P.target.v[k])} here.` : "") +
  (n.attrs.weighted ? ` The weight v of this class is ${text(n.P.weight.v[k])}.` : "");

CELLS.SoftmaxCE = {
  does: "the scores become probabilities; the loss is their cross-entropy with the label",
  y(n, k) {
    const s = n.X().v;
    const top = Math.max(...s);
    const z = sum(Array.from(s, (v) => Math.exp(v - top)));
    const e = Math.exp(s[k] - top);
    const value = e / z;
    return {
      value,
      abs: value * (1 + Math.abs(s[k]) + Math.abs(top)),
      n: 16,
      checks: [lossCheck(n, 1 + Math.abs(Number(n.attrs.loss)))],
      eq: `a_k = \\frac{e^{s_k}}{\\sum_j e^{s_j}} \\quad L = ${n.attrs.weighted ? "-\\frac{1}{v_{label}} \\sum_k v_k y_k \\log a_k" : "-\\sum_k y_k \\log a_k"}`,
      line: L`e^${ref.x(n, k)} / \u03a3 = ${e} / ${z} = ${value}`,
      note: `${labelOf(n)}.${weightsOf(n, k)} The largest score, ${text(top)}, is subtracted first, so that e^s does not overflow; that cancels.`,
    };
  },
  dx(n, k) {
    const a = softmax(n.X().v)[k];
    const v = n.P.weight.v;
    const y = n.P.target.v[k];
    const all = sum(map(n.P.target, (t, j) => t * v[j]));
    const {total, smoothing, weighted} = n.attrs;
    const value = (a * all - y * v[k]) / total;
    const y01 = smoothing ? "" : `y is 1 for ${n.className(n.attrs.label)} and 0 for the others.`;
    const one = value ? ` This score is pushed ${value < 0 ? "up" : "down"}.` : "";
    const pushed = smoothing || weighted ? one : " The label's score is pushed up, the others down.";
    const link = ref.y(n, k);
    const how = weighted
      ? L`(${link} · ${all} \u2212 ${y} · ${v[k]}) / ${total} = ${value}`
      : total > 1
        ? L`(${link} \u2212 ${y}) / ${total} = ${value}`
        : L`${link} \u2212 ${y} = ${value}`;
    return {
      value,
      abs: (a * all * (1 + Math.abs(n.X().v[k])) + y * v[k]) / total,
      n: 16,
      line: how,
      eq: weighted
        ? "ds_k = \\frac{a_k \\sum_j v_j y_j - v_k y_k}{\\sum_n v_{label(n)}}"
        : total > 1
          ? "ds_k = \\frac{a_k - y_k}{N}"
          : "ds_k = a_k - y_k",
      note: (y01 + weightsOf(n, k) + pushed + perN(n)).trim(),
    };
  },
};

const elementwise = (does, eq, deq, value, slope, line) => ({
  does,
  y(n, i) {
    const v = value(n.X().v[i], n.P.target.v[i]);
    return {
      value: v,
      abs: Math.abs(v) + Math.abs(n.X().v[i]) + Math.abs(n.P.target.v[i]),
      n: 4,
      eq,
      line: line(ref.x(n, i), n.P.target.v[i], v),
      checks: [lossCheck(n, 1 + Math.abs(Number(n.attrs.loss)))],
    };
  },
  dx(n, i) {
    const x = ref.x(n, i);
    const t = n.P.target.v[i];
    const d = slope(x.v, t);
    const share = n.attrs.mean / n.attrs.n;
    return {
      value: d * share,
      abs: (Math.abs(x.v) + Math.abs(t) + Math.abs(d)) * share,
      n: 4,
      eq: deq,
      line: L`${d} · ${share} = ${d * share}`,
      note: `The target is ${text(t)}, x is ${text(x.v)}.${perN(n)}`,
      links: [{...x, label: "x"}],
    };
  },
});
CELLS.BCE = elementwise(
  "the scores become probabilities; the loss is binary cross-entropy",
  "a = \\frac{1}{1 + e^{-s}} \\quad L = -t \\log a - (1-t) \\log(1-a)",
  "ds = (a - t) · \\text{share}",
  logistic,
  (s, t) => logistic(s) - t,
  (x, t, v) => L`1 / (1 + e^\u2212s) of s = ${x}: ${v}; target ${t}`,
);
CELLS.MSE = elementwise(
  "the squared distance to the target",
  "L = \\text{mean of } (x - t)^2",
  "dx = 2 (x - t) · \\text{share}",
  (x, t) => (x - t) ** 2,
  (x, t) => 2 * (x - t),
  (x, t, v) => L`(${x} \u2212 ${t})\u00b2 = ${v}`,
);
CELLS.KL = {
  does: "how far the code's distribution is from the standard normal one",
  y(n, d) {
    const D = n.s[0];
    const m = ref.x(n, d);
    const v = ref.x(n, d + D);
    const value = klOf(m.v, v.v);
    return {
      value,
      abs: (Math.exp(v.v) + m.v ** 2 + 1 + Math.abs(v.v)) / 2,
      n: 4,
      eq: "\\frac{1}{2} (e^v + m^2 - 1 - v)",
      line: L`(exp ${v} + ${m}\u00b2 \u2212 1 \u2212 ${v}) / 2 = ${value}`,
      checks: [lossCheck(n, 1 + Math.abs(Number(n.attrs.loss)))],
    };
  },
  dx(n, i) {
    const D = n.s[0];
    const x = ref.x(n, i);
    const value = (i < D ? x.v : (Math.exp(x.v) - 1) / 2) / n.attrs.n;
    return {
      value,
      abs: (i < D ? Math.abs(x.v) : (Math.exp(x.v) + 1) / 2) / n.attrs.n,
      n: 4,
      eq: i < D ? "dm = \\frac{m}{N}" : "dv = \\frac{1}{2N} (e^v - 1)",
      line: i < D ? L`${x} / ${n.attrs.n} = ${value}` : L`(exp ${x} \u2212 1) / 2 / ${n.attrs.n} = ${value}`,
    };
  },
};

CELLS.Own = {
  does: "a layer of your own",
  y: (n, i) => ({value: n.Y.v[i], own: true}),
  dx: (n, i) => ({value: n.DX(0).v[i], own: true}),
  grads: {},
};
