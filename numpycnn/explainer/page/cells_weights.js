// Layers with weights: convolution, its transpose, dense.

CELLS.Conv2D = {
  does: "every output is one patch of the input times a filter, plus the filter's bias",
  y(n, k) {
    const {w, b} = n.P;
    const g = geometry(w, n.attrs);
    const place = at(n.s, k);
    const {top, left, sh, sw, dh, dw} = pads(g);
    const parts = patchSum(n.X(), w, g, place, (c) => ({
      label: `in-channel ${c}`,
      an: "patch of x",
      bn: "filter",
      to: goX,
      toB: goGrad("w"),
    }));
    return {
      ...finish(parts.groups, b && b.v[place[2]], {goBias: b && goGrad("b")(place[2])}),
      box: {...parts.box, on: "A"},
      note: inGroups(g).trim(),
      eq: `y_{i,j,f} = ${b ? "b_f + " : ""}\\sum_{p,q,c} x_{${steps(sh, "i", "p", top, dh)},\u2009${steps(sw, "j", "q", left, dw)},\u2009c} · w_{p,q,c,f}`,
    };
  },
  dx(n, k) {
    const {w} = n.P;
    const g = geometry(w, n.attrs);
    const {top, left, sh, sw, dh, dw} = pads(g);
    const parts = turnedSum(n.DY(), w, g, at(n.X().s, k), (f) => ({
      label: `filter ${f}`,
      an: "dy, where x went",
      bn: "filter, turned",
      to: goDy,
      toB: goGrad("w"),
    }));
    return {
      ...finish(parts.groups),
      box: parts.box && {...parts.box, on: "B"},
      note: TURNED + inGroups(g),
      eq: `dx_{r,s,c} = \\sum_{i,j,f} dy_{i,j,f} · w_{${over(dh, back(sh, "r", "i", top))},\u2009${over(dw, back(sw, "s", "j", left))},\u2009c,f}`,
    };
  },
  grads: {
    w(n, k) {
      const {w} = n.P;
      const g = geometry(w, n.attrs);
      const place = at(w.s, k);
      const {top, left, sh, sw, dh, dw} = pads(g);
      return {
        ...weightSum(n.X(), n.DY(), g, place, goX, goDy),
        on: {A: groupOf(place[3], g.F, g) * g.C + place[2], B: place[3]},
        note: ONE_WEIGHT + shared(n),
        head: ["output", "x", "dy", "product"],
        eq: `dw_{p,q,c,f} = \\sum_{i,j} x_{${steps(sh, "i", "p", top, dh)},\u2009${steps(sw, "j", "q", left, dw)},\u2009c} · dy_{i,j,f}`,
      };
    },
    b: (n, f) => ({...biasSum(n, f), on: {B: f}}),
  },
};

CELLS.ConvTranspose2D = {
  does: "every input paints its value times a filter into the output; where these overlap, they add up",
  y(n, k) {
    const {w, b} = n.P;
    const g = geometry(w, n.attrs);
    const place = at(n.s, k);
    const {top, left, sh, sw} = pads(g);
    const parts = turnedSum(n.X(), w, g, place, (c) => ({
      label: `in-channel ${c}`,
      an: "x that painted here",
      bn: "filter, turned",
      to: goX,
      toB: goGrad("w"),
    }));
    return {
      ...finish(parts.groups, b && b.v[place[2]], {goBias: b && goGrad("b")(place[2])}),
      box: parts.box && {...parts.box, on: "A"},
      eq: `y_{r,s,f} = ${b ? "b_f + " : ""}\\sum_{i,j,c} x_{i,j,c} · w_{${back(sh, "r", "i", top)},\u2009${back(sw, "s", "j", left)},\u2009f,c}`,
    };
  },
  dx(n, k) {
    const {w} = n.P;
    const g = geometry(w, n.attrs);
    const {top, left, sh, sw} = pads(g);
    const parts = patchSum(n.DY(), w, g, at(n.X().s, k), (f) => ({
      label: `filter ${f}`,
      an: "patch of dy",
      bn: "filter",
      to: goDy,
      toB: goGrad("w"),
    }));
    return {
      ...finish(parts.groups),
      box: {...parts.box, on: "B"},
      note: "The transpose of a transpose is the convolution itself.",
      eq: `dx_{i,j,c} = \\sum_{p,q,f} dy_{${steps(sh, "i", "p", top)},\u2009${steps(sw, "j", "q", left)},\u2009f} · w_{p,q,f,c}`,
    };
  },
  grads: {
    w(n, k) {
      const {w} = n.P;
      const g = geometry(w, n.attrs);
      const place = at(w.s, k);
      const {top, left, sh, sw} = pads(g);
      const e = weightSum(n.DY(), n.X(), g, place, goDy, goX);
      return {
        ...e,
        span: undefined,
        on: {A: place[3], B: place[2]},
        note: ONE_WEIGHT + shared(n),
        head: ["input", "dy", "x", "product"],
        eq: `dw_{p,q,f,c} = \\sum_{i,j} dy_{${steps(sh, "i", "p", top)},\u2009${steps(sw, "j", "q", left)},\u2009f} · x_{i,j,c}`,
      };
    },
    b: (n, f) => ({...biasSum(n, f), on: {B: f}}),
  },
};

function rowsOf(count, bias, row) {
  // a sum of products, one a row
  const rows = Array.from({length: count}, (_, d) => {
    const r = row(d);
    return {...r, product: r.a * r.b};
  });
  const products = rows.map((r) => r.product);
  return {
    value: sum(products) + (bias ?? 0),
    abs: sumAbs(products) + Math.abs(bias ?? 0),
    n: count,
    rows,
    bias,
  };
}

CELLS.Dense = {
  does: "every output is all inputs, each times its weight, plus a bias",
  y(n, k) {
    const {w, b} = n.P;
    const [D, K] = w.s;
    const x = n.X().v;
    return {
      ...rowsOf(D, b && b.v[k], (d) => ({
        label: `${d}`,
        a: x[d],
        b: w.v[d * K + k],
        goA: goX(d),
        goB: goGrad("w")(d * K + k),
      })),
      goBias: b && goGrad("b")(k),
      head: ["input", "x", "w", "product"],
      eq: `y_k = ${b ? "b_k + " : ""}\\sum_d x_d · w_{d,k}`,
    };
  },
  dx(n, d) {
    const {w} = n.P;
    const K = w.s[1];
    const dy = n.DY().v;
    return {
      ...rowsOf(K, undefined, (k) => ({
        label: n.className(k),
        a: dy[k],
        b: w.v[d * K + k],
        goA: goDy(k),
        goB: goGrad("w")(d * K + k),
      })),
      head: ["output", "dy", "w", "product"],
      eq: "dx_d = \\sum_k dy_k · w_{d,k}",
    };
  },
  grads: {
    w(n, i) {
      const K = n.P.w.s[1];
      const x = ref.x(n, Math.floor(i / K));
      const dy = ref.dy(n, i % K);
      const value = x.v * dy.v;
      return {
        value,
        abs: Math.abs(value),
        n: 1,
        eq: "dw_{d,k} = x_d · dy_k",
        line: L`${x} · ${dy} = ${value}`,
        note: shared(n).trim(),
      };
    },
    b(n, k) {
      const dy = ref.dy(n, k);
      return {
        value: dy.v,
        abs: Math.abs(dy.v),
        n: 1,
        eq: "db_k = dy_k",
        line: L`${dy}`,
        note: shared(n).trim(),
      };
    },
  },
};
