// Layer and group norm: mean and variance of this image's own numbers, the same in training and in use.

// The numbers that share a mean with number k: a pixel's channels, or a group's over all pixels.
function membersOf(n, k) {
  const [H, W, C] = dims(n.s);
  const size = n.attrs.groups ? C / n.attrs.groups : C;
  const first = Math.floor((k % C) / size) * size;
  const pixels = n.attrs.groups ? Array.from({length: H * W}, (_, p) => p) : [Math.floor(k / C)];
  return pixels.flatMap((p) => Array.from({length: size}, (_, c) => p * C + first + c));
}

function momentsOf(n, x, members) {
  const M = members.length;
  const mean = sum(members.map((i) => x[i])) / M;
  const variance = sum(members.map((i) => (x[i] - mean) ** 2)) / M;
  const inv = 1 / Math.sqrt(variance + n.attrs.eps);
  const largestX = Math.max(...members.map((i) => Math.abs(x[i])));
  // what float32 can hide: x, its mean, and so the variance are rounded
  return {M, mean, inv, h: (i) => (x[i] - mean) * inv, rounded: 1 + largestX * inv};
}

const normPasses = {
  run(n, [x], P) {
    const C = P.gamma.v.length;
    const y = zeros(x.v.length);
    eachGroup(n, (members) => {
      const {h} = momentsOf(n, x.v, members);
      for (const i of members) y[i] = P.gamma.v[i % C] * h(i) + P.beta.v[i % C];
    });
    return y;
  },
  pull(n, [x], dy, P) {
    const C = P.gamma.v.length;
    const dx = zeros(x.v.length);
    const products = zeros(x.v.length);
    eachGroup(n, (members) => {
      const {M, inv, h} = momentsOf(n, x.v, members);
      const g = (i) => dy[i] * P.gamma.v[i % C];
      const second = sum(members.map(g)) / M;
      const third = sum(members.map((i) => g(i) * h(i))) / M;
      for (const i of members) {
        dx[i] = inv * (g(i) - second - h(i) * third);
        products[i] = dy[i] * h(i);
      }
    });
    return {dxs: [dx], grads: {gamma: channelSums(products, C), beta: channelSums(dy, C)}};
  },
};

function eachGroup(n, visit) {
  const seen = new Uint8Array(size(n.s));
  for (let k = 0; k < seen.length; k++)
    if (!seen[k]) {
      const members = membersOf(n, k);
      for (const i of members) seen[i] = 1;
      visit(members);
    }
}

function normCells(does, of) {
  const place = (n, k) => {
    const members = membersOf(n, k);
    const c = k % n.P.gamma.v.length;
    return {...momentsOf(n, n.X().v, members), members, c, gamma: n.P.gamma.v[c], beta: n.P.beta.v[c]};
  };
  const channel = (n, c, row, more) => {
    const rows = [];
    for (let i = c; i < n.X().v.length; i += n.P.gamma.v.length) {
      const r = row(i);
      const label = at(n.s, i).slice(0, -1).join(", ") || "all";
      rows.push({label, ...r, product: r.a * r.b});
    }
    const products = rows.map((r) => r.product);
    const abs = sum(rows.map((r) => Math.abs(r.product) + (r.loose ?? 0)));
    return {value: sum(products), abs, n: rows.length, rows, on: {A: c, B: c}, note: shared(n).trim(), ...more};
  };
  return {
    does,
    y(n, k) {
      const {M, mean, inv, h, rounded, c, gamma, beta} = place(n, k);
      const value = gamma * h(k) + beta;
      return {
        value,
        abs: Math.abs(gamma) * (Math.abs(h(k)) + 1) * rounded + Math.abs(beta),
        n: M,
        eq: "x\u0302 = \\frac{x - mean}{\\sqrt{var + ε}} \\quad y = γ_c x\u0302 + β_c",
        line: [
          ...L`x\u0302 = (${ref.x(n, k)} \u2212 ${mean}) · ${inv} = ${h(k)}`,
          "\n",
          ...L`y = ${ref.p(n, "gamma", c)} · ${h(k)} + ${ref.p(n, "beta", c)} = ${value}`,
        ],
        note: `Mean and variance are ${of}: ${M.toLocaleString("en")} numbers, in training and in use.`,
      };
    },
    dx(n, k) {
      const {M, inv, h, rounded, members} = place(n, k);
      const dy = n.DY().v;
      const C = n.P.gamma.v.length;
      const g = (i) => dy[i] * n.P.gamma.v[i % C];
      const mean = (f) => sum(members.map(f)) / M;
      const second = -mean(g);
      const third = -h(k) * mean((i) => g(i) * h(i));
      const value = inv * (g(k) + second + third);
      const spread = mean((i) => Math.abs(g(i)) * (1 + Math.abs(h(i))));
      return {
        value,
        abs: inv * rounded * (Math.abs(g(k)) + spread * (1 + Math.abs(h(k)))),
        n: M,
        line: L`${inv} · (${g(k)} + ${second} + ${third}) = ${value}`,
        eq: "dx = \\frac{1}{\\sqrt{var + ε}} \\left( dx\u0302 - \\frac{1}{M} \\sum dx\u0302 - x\u0302 · \\frac{1}{M} \\sum dx\u0302 · x\u0302 \\right), \\quad dx\u0302 = γ_c dy",
        addends: [
          {label: "(1) x moves its own x\u0302: γ dy", v: g(k), go: goDy(k)},
          {label: "(2) x moves the mean", v: second},
          {label: "(3) x moves the variance", v: third},
        ],
      };
    },
    grads: {
      gamma: (n, c) =>
        channel(
          n,
          c,
          (i) => {
            const {h, rounded} = place(n, i);
            const b = n.DY().v[i];
            return {a: h(i), b, goB: goDy(i), loose: Math.abs(b) * rounded};
          },
          {eq: "dγ_c = \\sum dy · x\u0302", head: ["place", "x\u0302", "dy", "product"]},
        ),
      beta: (n, c) =>
        channel(n, c, (i) => ({a: n.DY().v[i], b: 1, goA: goDy(i)}), {
          eq: "dβ_c = \\sum dy",
          head: ["place", "dy", "", "term"],
        }),
    },
  };
}

PASSES.LayerNorm = PASSES.GroupNorm = normPasses;
CELLS.LayerNorm = normCells(
  "brings the channels of every pixel to mean 0 and variance 1, then times gamma, plus beta",
  "those of this pixel's channels",
);
CELLS.GroupNorm = normCells(
  "brings every group of channels to mean 0 and variance 1, then times gamma, plus beta",
  "those of this image's group of channels, over all pixels",
);
