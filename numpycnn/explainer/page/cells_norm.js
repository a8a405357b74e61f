// Batch norm: in use with constants, in training with three terms, this image's share beside the batch's.

function normOf(n, k) {
  // what every sum of a batch norm needs
  const c = k % n.P.gamma.v.length;
  const x = n.X();
  const M = n.attrs.m;
  const P = n.P;
  const train = n.attrs.train;
  const inv = 1 / Math.sqrt(P.var.v[c] + n.attrs.eps);
  const mean = P.mean.v[c];
  const rest = (name) => (train ? P[name].v[c] : 0);
  const over = (f) => {
    // a sum over this image's numbers of the channel: [sum, sum of magnitudes]
    let s = 0;
    let a = 0;
    for (let i = c; i < x.v.length; i += P.gamma.v.length) {
      const v = f(i);
      s += v;
      a += Math.abs(v);
    }
    return [s, a];
  };
  return {c, x, M, P, train, inv, mean, rest, over, gamma: P.gamma.v[c], h: (i) => (x.v[i] - mean) * inv};
}

const HERE = (here, rest, train) =>
  train ? L`${here} here + ${rest} in the batch's other images` : L`${here}`;

CELLS.BatchNorm = {
  does: "brings every channel to mean 0 and variance 1, then times gamma, plus beta",
  y(n, k) {
    const {c, M, P, train, inv, mean, rest, over, gamma, x, h} = normOf(n, k);
    const value = gamma * h(k) + P.beta.v[c];
    const checks = [];
    if (train) {
      const [s, a] = over((i) => x.v[i]);
      const [q] = over((i) => (x.v[i] - mean) ** 2);
      checks.push({
        label: `mean of channel ${c}`,
        line: ["(", ...HERE(s, rest("rest_x"), true), `) / ${M}`],
        value: (s + rest("rest_x")) / M,
        stored: mean,
        abs: (a + rest("abs_x")) / M,
        n: 4,
      });
      checks.push({
        label: `variance of channel ${c}`,
        line: ["(", ...HERE(q, rest("rest_v"), true), `) / ${M}`],
        value: (q + rest("rest_v")) / M,
        stored: P.var.v[c],
        abs: P.var.v[c] + Math.abs(mean) * Math.sqrt(P.var.v[c]),
        n: 4,
      });
    }
    return {
      value,
      abs: (Math.abs(x.v[k]) + Math.abs(mean)) * Math.abs(inv * gamma) + Math.abs(P.beta.v[c]),
      n: 4,
      checks,
      eq: "x\u0302 = \\frac{x - mean}{\\sqrt{var + ε}} \\quad y = γ x\u0302 + β",
      line: [
        ...L`x\u0302 = (${ref.x(n, k)} \u2212 ${mean}) · ${inv} = ${h(k)}`,
        "\n",
        ...L`y = ${ref.p(n, "gamma", c)} · ${h(k)} + ${ref.p(n, "beta", c)} = ${value}`,
      ],
      note: train
        ? `Mean and variance are the batch's: ${M.toLocaleString("en")} numbers a channel.${PAIRED(n)}`
        : `In use, mean and variance are the running ones that training left: constants.${PAIRED(n)}`,
    };
  },
  dx(n, k) {
    const {c, M, P, train, inv, rest, over, gamma, h} = normOf(n, k);
    const dy = ref.dy(n, k);
    const scale = gamma * inv;
    if (!train) {
      return {
        value: scale * dy.v,
        abs: Math.abs(scale * dy.v),
        n: 4,
        eq: "dx = \\frac{γ}{\\sqrt{var + ε}} · dy",
        line: L`${ref.p(n, "gamma", c)} · ${inv} · ${dy} = ${scale * dy.v}`,
        note: "The running mean and variance are constants: of batch norm's three terms only the first is left. The run in training has all three.",
      };
    }
    const d = n.DY().v;
    const [b, ab] = over((i) => d[i]);
    const [g, ag] = over((i) => d[i] * h(i));
    const second = -(b + rest("rest_dy")) / M;
    const third = (-h(k) * (g + rest("rest_dyx"))) / M;
    const value = scale * (dy.v + second + third);
    const abs =
      Math.abs(scale) *
      (Math.abs(dy.v) + (ab + rest("abs_dy")) / M + (Math.abs(h(k)) * (ag + rest("abs_dyx"))) / M);
    return {
      value,
      abs,
      n: M,
      note: PAIRED(n).trim(),
      line: L`${scale} · (${dy} + ${second} + ${third}) = ${value}`,
      eq: "dx = \\frac{γ}{\\sqrt{var + ε}} \\left( dy - \\frac{1}{M} \\sum dy - x\u0302 · \\frac{1}{M} \\sum dy · x\u0302 \\right)",
      addends: [
        {label: "(1) x moves its own x\u0302: dy", v: dy.v, go: dy.go},
        {
          label: "(2) x moves the mean",
          line: [`\u2212(`, ...HERE(b, rest("rest_dy"), true), `) / ${M}`],
          v: second,
        },
        {
          label: "(3) x moves the variance",
          line: [...L`\u2212(${h(k)}) · (`, ...HERE(g, rest("rest_dyx"), true), `) / ${M}`],
          v: third,
        },
      ],
    };
  },
  grads: {
    gamma(n, c) {
      const {train, rest, over, h} = normOf(n, c);
      const d = n.DY().v;
      const [g, a] = over((i) => d[i] * h(i));
      const value = g + rest("rest_dyx");
      return {
        value,
        abs: a + rest("abs_dyx"),
        n: n.attrs.m,
        eq: "dγ_c = \\sum dy · x\u0302",
        line: [...HERE(g, rest("rest_dyx"), train), " = ", {v: value}],
        on: {A: c, B: c},
        rows: channelRows(n, c, (i) => ({a: h(i), b: d[i], goB: goDy(i)})),
        head: ["place", "x\u0302", "dy", "product"],
      };
    },
    beta(n, c) {
      const {train, rest, over} = normOf(n, c);
      const d = n.DY().v;
      const [b, a] = over((i) => d[i]);
      const value = b + rest("rest_dy");
      return {
        value,
        abs: a + rest("abs_dy"),
        n: n.attrs.m,
        eq: "dβ_c = \\sum dy",
        line: [...HERE(b, rest("rest_dy"), train), " = ", {v: value}],
        on: {A: c, B: c},
        rows: channelRows(n, c, (i) => ({a: d[i], b: 1, goA: goDy(i)})),
        head: ["place", "dy", "", "term"],
      };
    },
  },
};

// a mirror norm's note; of another, nothing
const PAIRED = (n) =>
  n.kind === "MirrorBatchNorm" ? " The two maps of a pair are one channel: they share all four." : "";

function channelRows(n, c, row) {
  const x = n.X();
  const rows = [];
  for (let i = c; i < x.v.length; i += n.P.gamma.v.length) {
    const r = row(i);
    const partner = at(x.s, i).pop() >= n.P.gamma.v.length ? ", partner" : "";
    rows.push({label: (at(x.s, i).slice(0, -1).join(", ") || "all") + partner, ...r, product: r.a * r.b});
  }
  return rows;
}
