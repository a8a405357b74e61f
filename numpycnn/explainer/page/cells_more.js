// Batch norm, the losses, and what joins and splits.

function normOf(n, k) { // what every sum of a batch norm needs
  const c = k % n.P.gamma.v.length, x = n.X(), M = n.attrs.m, P = n.P, train = n.attrs.train;
  const inv = 1 / Math.sqrt(P.var.v[c] + n.attrs.eps), mean = P.mean.v[c];
  const rest = (name) => (train ? P[name].v[c] : 0);
  const over = (f) => { // a sum over this image's numbers of the channel: [sum, sum of magnitudes]
    let s = 0, a = 0;
    for (let i = c; i < x.v.length; i += P.gamma.v.length) { const v = f(i); s += v; a += Math.abs(v); }
    return [s, a];
  };
  return {c, x, M, P, train, inv, mean, rest, over, gamma: P.gamma.v[c], h: (i) => (x.v[i] - mean) * inv};
}

const HERE = (here, rest, train) => (train ? L`${here} here + ${rest} in the batch's other images` : L`${here}`);

CELLS.BatchNorm = {
  does: "brings every channel to mean 0 and variance 1, then times gamma, plus beta",
  y(n, k) {
    const {c, M, P, train, inv, mean, rest, over, gamma, x, h} = normOf(n, k), value = gamma * h(k) + P.beta.v[c], checks = [];
    if (train) {
      const [s, a] = over((i) => x.v[i]), [q] = over((i) => (x.v[i] - mean) ** 2);
      checks.push({label: `mean of channel ${c}`, line: ["(", ...HERE(s, rest("rest_x"), true), `) / ${M}`], value: (s + rest("rest_x")) / M, stored: mean, abs: (a + rest("abs_x")) / M, n: 4});
      checks.push({label: `variance of channel ${c}`, line: ["(", ...HERE(q, rest("rest_v"), true), `) / ${M}`], value: (q + rest("rest_v")) / M, stored: P.var.v[c], abs: P.var.v[c] + Math.abs(mean) * Math.sqrt(P.var.v[c]), n: 4});
    }
    return {value, abs: (Math.abs(x.v[k]) + Math.abs(mean)) * Math.abs(inv * gamma) + Math.abs(P.beta.v[c]), n: 4, checks,
      eq: "x\u0302 = \\frac{x - mean}{\\sqrt{var + ε}} \\quad y = γ x\u0302 + β",
      line: [...L`x\u0302 = (${ref.x(n, k)} \u2212 ${mean}) · ${inv} = ${h(k)}`, "\n", ...L`y = ${ref.p(n, "gamma", c)} · ${h(k)} + ${ref.p(n, "beta", c)} = ${value}`],
      note: train ? `Mean and variance are the batch's: ${M.toLocaleString("en")} numbers a channel.` : "In use, mean and variance are the running ones that training left: constants."};
  },
  dx(n, k) {
    const {c, M, P, train, inv, rest, over, gamma, h} = normOf(n, k), dy = ref.dy(n, k), scale = gamma * inv;
    if (!train) {
      return {value: scale * dy.v, abs: Math.abs(scale * dy.v), n: 4, eq: "dx = \\frac{γ}{\\sqrt{var + ε}} · dy", line: L`${ref.p(n, "gamma", c)} · ${inv} · ${dy} = ${scale * dy.v}`,
        note: "The running mean and variance are constants: of batch norm's three terms only the first is left. The run in training has all three."};
    }
    const d = n.DY().v, [b, ab] = over((i) => d[i]), [g, ag] = over((i) => d[i] * h(i));
    const second = -(b + rest("rest_dy")) / M, third = (-h(k) * (g + rest("rest_dyx"))) / M, value = scale * (dy.v + second + third);
    const abs = Math.abs(scale) * (Math.abs(dy.v) + (ab + rest("abs_dy")) / M + (Math.abs(h(k)) * (ag + rest("abs_dyx"))) / M);
    return {value, abs, n: M, line: L`${scale} · (${dy} + ${second} + ${third}) = ${value}`,
      eq: "dx = \\frac{γ}{\\sqrt{var + ε}} \\left( dy - \\frac{1}{M} \\sum dy - x\u0302 · \\frac{1}{M} \\sum dy · x\u0302 \\right)",
      addends: [{label: "(1) x moves its own x\u0302: dy", v: dy.v, go: dy.go},
        {label: "(2) x moves the mean", line: [`\u2212(`, ...HERE(b, rest("rest_dy"), true), `) / ${M}`], v: second},
        {label: "(3) x moves the variance", line: [...L`\u2212(${h(k)}) · (`, ...HERE(g, rest("rest_dyx"), true), `) / ${M}`], v: third}]};
  },
  grads: {
    gamma(n, c) {
      const {train, rest, over, h} = normOf(n, c), d = n.DY().v, [g, a] = over((i) => d[i] * h(i)), value = g + rest("rest_dyx");
      return {value, abs: a + rest("abs_dyx"), n: n.attrs.m, eq: "dγ_c = \\sum dy · x\u0302", line: [...HERE(g, rest("rest_dyx"), train), " = ", {v: value}], on: {A: c, B: c},
        rows: channelRows(n, c, (i) => ({a: h(i), b: d[i], goB: goDy(i)})), head: ["place", "x\u0302", "dy", "product"]};
    },
    beta(n, c) {
      const {train, rest, over} = normOf(n, c), d = n.DY().v, [b, a] = over((i) => d[i]), value = b + rest("rest_dy");
      return {value, abs: a + rest("abs_dy"), n: n.attrs.m, eq: "dβ_c = \\sum dy", line: [...HERE(b, rest("rest_dy"), train), " = ", {v: value}], on: {A: c, B: c},
        rows: channelRows(n, c, (i) => ({a: d[i], b: 1, goA: goDy(i)})), head: ["place", "dy", "", "term"]};
    },
  },
};

function channelRows(n, c, row) {
  const x = n.X(), rows = [];
  for (let i = c; i < x.v.length; i += n.P.gamma.v.length) { const r = row(i); rows.push({label: at(x.s, i).slice(0, -1).join(", ") || "all", ...r, product: r.a * r.b}); }
  return rows;
}

CELLS.Input = {
  does: "the numbers that go in; on the way back, how the loss changes with each of them",
  y: (n, i) => ({value: n.Y.v[i], abs: 0, n: 0, eq: "x", line: L`${n.Y.v[i]}`, links: [{...ref.dy(n, i), label: "its gradient"}]}),
  dx: (n, i) => ({value: n.DY().v[i], abs: 0, n: 0, eq: "dx", line: L`${ref.dy(n, i)}`}),
};

CELLS.Fork = {
  does: "from here the value goes several ways; on the way back the gradients add up",
  y: (n, i) => ({value: n.X().v[i], abs: 0, n: 0, eq: "\\text{each branch gets } x", line: L`${ref.x(n, i)}`}),
  dx(n, i) {
    const parts = n.users.map((_, u) => ref.dy(n, i, u)), values = parts.map((p) => p.v), value = sum(values);
    return {value, abs: sumAbs(values), n: parts.length, eq: "dx = \\sum \\text{ of what the branches give back}", line: [...joined(parts, " + "), " = ", {v: value}],
      addends: parts.map((p, u) => ({label: `back from branch ${u}`, ...p})), note: "x had an effect on every branch: their gradients add up."};
  },
};

CELLS.Add = {
  does: "the branches are added up",
  y(n, i) {
    const parts = n.inputs.map((_, s) => ref.x(n, i, s)), values = parts.map((p) => p.v), value = sum(values);
    return {value, abs: sumAbs(values), n: parts.length, eq: "y = f(x) + g(x) + \u2026", line: [...joined(parts, " + "), " = ", {v: value}], addends: parts.map((p, s) => ({label: `branch ${s}`, ...p}))};
  },
  dx: (n, i) => ({value: n.DY().v[i], abs: 0, n: 0, eq: "dx = dy \\text{ for every branch}", line: L`${ref.dy(n, i)}`, note: "A sum hands its gradient to each addend unchanged: this is why a shortcut carries it far."}),
};

CELLS.Concat = {
  does: "the branches' channels side by side",
  y(n, k) {
    const xs = n.inputs.map((_, s) => n.X(s)), C = n.s[n.s.length - 1];
    let c = k % C, slot = 0;
    while (c >= xs[slot].s[xs[slot].s.length - 1]) c -= xs[slot++].s[xs[slot - 1].s.length - 1];
    const x = ref.x(n, Math.floor(k / C) * xs[slot].s[xs[slot].s.length - 1] + c, slot);
    return {value: x.v, abs: 0, n: 0, eq: "y = f(x), g(x), \u2026 \\text{ side by side}", line: [`branch ${slot}: `, x]};
  },
  dx(n, i, slot) {
    const dy = ref.dy(n, concatPlace(n.inputs.map((_, s) => n.X(s)), slot, i));
    return {value: dy.v, abs: 0, n: 0, eq: "dx = \\text{ the branch's channels of } dy", line: L`${dy}`};
  },
};

CELLS.Pick = {
  does: "the class, which stands beside the image's channels",
  y: (n, i) => { const x = ref.x(n, n.attrs.from + i); return {value: x.v, abs: 0, n: 0, eq: "y_k = x_{0,0,C+k}", line: L`${x}`}; },
  dx(n, i) {
    const k = i - n.attrs.from, inside = k >= 0 && k < size(n.s), dy = inside ? ref.dy(n, k) : {v: 0};
    return {value: dy.v, abs: 0, n: 0, eq: "dx_{0,0,C+k} = dy_k\\text{, else } 0", line: [dy]};
  },
};

CELLS.Sampling = {
  does: "a random draw around the mean, so made that gradients pass through; in use the mean itself",
  y(n, d) {
    const D = n.P.e.v.length, m = ref.x(n, d), v = ref.x(n, d + D), e = n.P.e.v[d], value = m.v + Math.exp(v.v / 2) * e;
    return {value, abs: Math.abs(m.v) + Math.abs(value - m.v) * (1 + Math.abs(v.v)), n: 4, eq: "z = m + e^{v/2} · ε", line: L`${m} + exp(${v} / 2) · ${e} = ${value}`,
      note: n.attrs.train ? "ε is drawn once, and does not depend on m or v." : "In use ε is 0."};
  },
  dx(n, i) {
    const D = n.P.e.v.length, dz = ref.dy(n, i % D);
    if (i < D) return {value: dz.v, abs: Math.abs(dz.v), n: 1, eq: "dm = dz", line: L`${dz}`};
    const v = ref.x(n, i), e = n.P.e.v[i - D], value = (dz.v * Math.exp(v.v / 2) * e) / 2;
    return {value, abs: Math.abs(value) * (1 + Math.abs(v.v)), n: 4, eq: "dv = dz · \\frac{1}{2} e^{v/2} · ε", line: L`${dz} · exp(${v} / 2) / 2 · ${e} = ${value}`};
  },
};

// ---- losses: dx is the gradient that the backward pass begins with ---------------------------------

const lossCheck = (n, abs) => ({label: "loss of this image", line: [], value: n.loss(), stored: Number(n.attrs.loss), abs, n: 64});
const perN = (n) => (n.attrs.n > 1 ? ` The loss is a mean over the batch of ${n.attrs.n}.` : "");

CELLS.SoftmaxCE = {
  does: "the scores become probabilities; the loss is \u2212log of the label's",
  y(n, k) {
    const s = n.X().v, top = Math.max(...s), z = sum(Array.from(s, (v) => Math.exp(v - top))), e = Math.exp(s[k] - top), value = e / z;
    return {value, abs: value * (1 + Math.abs(s[k]) + Math.abs(top)), n: 16, checks: [lossCheck(n, 1 + Math.abs(Number(n.attrs.loss)))],
      eq: "a_k = \\frac{e^{s_k}}{\\sum_j e^{s_j}} \\quad L = -\\sum_k y_k \\log a_k", line: L`e^${ref.x(n, k)} / \u03a3 = ${e} / ${z} = ${value}`,
      note: `The label is ${n.className(n.attrs.label)}. The largest score, ${text(top)}, is subtracted first, so that e^s does not overflow; that cancels.`};
  },
  dx(n, k) {
    const a = softmax(n.X().v)[k], v = n.P.weight.v, y = n.P.target.v[k], all = sum(map(n.P.target, (t, j) => t * v[j])), {total, smoothing, weighted} = n.attrs;
    const value = (a * all - y * v[k]) / total, link = ref.y(n, k);
    const how = weighted ? L`(${link} · ${all} \u2212 ${y} · ${v[k]}) / ${total} = ${value}` : total > 1 ? L`(${link} \u2212 ${y}) / ${total} = ${value}` : L`${link} \u2212 ${y} = ${value}`;
    return {value, abs: (a * all * (1 + Math.abs(n.X().v[k])) + y * v[k]) / total, n: 16, line: how,
      eq: weighted ? "ds_k = \\frac{a_k \\sum_j v_j y_j - v_k y_k}{\\sum_n v_{label(n)}}" : total > 1 ? "ds_k = \\frac{a_k - y_k}{N}" : "ds_k = a_k - y_k",
      note: `${smoothing ? `With label smoothing ${smoothing} y is ${text(y)} here.` : `y is 1 for ${n.className(n.attrs.label)} and 0 for the others.`} The label's score is pushed up, the others down.${perN(n)}`};
  },
};

const elementwise = (does, eq, deq, value, slope, line) => ({
  does,
  y(n, i) { const v = value(n.X().v[i], n.P.target.v[i]); return {value: v, abs: Math.abs(v) + Math.abs(n.X().v[i]) + Math.abs(n.P.target.v[i]), n: 4, eq, line: line(ref.x(n, i), n.P.target.v[i], v), checks: [lossCheck(n, 1 + Math.abs(Number(n.attrs.loss)))]}; },
  dx(n, i) {
    const x = ref.x(n, i), t = n.P.target.v[i], d = slope(x.v, t), share = n.attrs.mean / n.attrs.n;
    return {value: d * share, abs: (Math.abs(x.v) + Math.abs(t) + Math.abs(d)) * share, n: 4, eq: deq, line: L`${d} · ${share} = ${d * share}`,
      note: `The target is ${text(t)}, x is ${text(x.v)}.${perN(n)}`, links: [{...x, label: "x"}]};
  },
});
CELLS.BCE = elementwise("the scores become probabilities; the loss is binary cross-entropy", "a = \\frac{1}{1 + e^{-s}} \\quad L = -t \\log a - (1-t) \\log(1-a)", "ds = (a - t) · \\text{share}",
  logistic, (s, t) => logistic(s) - t, (x, t, v) => L`1 / (1 + e^\u2212s) of s = ${x}: ${v}; target ${t}`);
CELLS.MSE = elementwise("the squared distance to the target", "L = \\text{mean of } (x - t)^2", "dx = 2 (x - t) · \\text{share}",
  (x, t) => (x - t) ** 2, (x, t) => 2 * (x - t), (x, t, v) => L`(${x} \u2212 ${t})\u00b2 = ${v}`);
CELLS.KL = {
  does: "how far the code's distribution is from the standard normal one",
  y(n, d) {
    const D = n.s[0], m = ref.x(n, d), v = ref.x(n, d + D), value = klOf(m.v, v.v);
    return {value, abs: (Math.exp(v.v) + m.v ** 2 + 1 + Math.abs(v.v)) / 2, n: 4, eq: "\\frac{1}{2} (e^v + m^2 - 1 - v)", line: L`(exp ${v} + ${m}\u00b2 \u2212 1 \u2212 ${v}) / 2 = ${value}`, checks: [lossCheck(n, 1 + Math.abs(Number(n.attrs.loss)))]};
  },
  dx(n, i) {
    const D = n.s[0], x = ref.x(n, i), value = (i < D ? x.v : (Math.exp(x.v) - 1) / 2) / n.attrs.n;
    return {value, abs: (i < D ? Math.abs(x.v) : (Math.exp(x.v) + 1) / 2) / n.attrs.n, n: 4, eq: i < D ? "dm = \\frac{m}{N}" : "dv = \\frac{1}{2N} (e^v - 1)", line: i < D ? L`${x} / ${n.attrs.n} = ${value}` : L`(exp ${x} \u2212 1) / 2 / ${n.attrs.n} = ${value}`};
  },
};

CELLS.Own = {does: "a layer of your own", y: (n, i) => ({value: n.Y.v[i], own: true}), dx: (n, i) => ({value: n.DX(0).v[i], own: true}), grads: {}};
