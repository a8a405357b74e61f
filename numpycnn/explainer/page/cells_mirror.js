// Layers that treat an image and its mirror image alike. Of w come two filters each: itself, and its
// partner, with the columns reversed and the halves of the in-channels swapped (ops/mirror.py).

const BOTH = new WeakMap(); // of each w, once

// {v, s} of [w | partner] (kh, kw, C, 2F), and from[k]: the number of w that stands at its number k
function bothFilters(w, first) {
  if (!BOTH.has(w)) {
    const [kh, kw, C, F] = w.s;
    const s = [kh, kw, C, 2 * F];
    const from = Array.from({length: size(s)}, (_, k) => {
      const [p, q, c, f] = at(s, k);
      return flat(w.s, f < F ? [p, q, c, f] : [p, kw - 1 - q, otherHalf(c, C, first), f - F]);
    });
    BOTH.set(w, {v: Float64Array.from(from, (k) => w.v[k]), s, from});
  }
  return BOTH.get(w);
}

const otherHalf = (c, C, first) => (first ? c : (c + C / 2) % C);
const mirrored = (n, w = n.P.w) => {
  const both = bothFilters(w, n.attrs.first);
  return {both, g: geometry(both, n.attrs), F: w.s[3]};
};
const pairSums = (v) => Float64Array.from({length: v.length / 2}, (_, f) => v[f] + v[f + v.length / 2]);
const twice = (b) => b && {v: Float64Array.from([...b.v, ...b.v])};

PASSES.MirrorConv2D = {
  run(n, [x], P) {
    const {both, g} = mirrored(n, P.w);
    return addBias(convY(x.v, x.s, both.v, g, n.s), twice(P.b));
  },
  pull(n, [x], dy, P) {
    const {both, g} = mirrored(n, P.w);
    const w = zeros(P.w.v.length);
    convDw(x.v, x.s, dy, n.s, g).forEach((d, k) => {
      w[both.from[k]] += d;
    });
    return {
      dxs: [convDx(dy, n.s, both.v, g, x.s)],
      grads: {w, ...(P.b && {b: pairSums(channelSums(dy, g.F))})},
    };
  },
};
PASSES.MirrorBatchNorm = PASSES.BatchNorm; // number i is of the channel i % F: of both halves
PASSES.MirrorMean = {
  run: (n, [x]) => pairSums(x.v).map((v) => v / 2),
  pull: (n, [x], dy) => ({dxs: [map(x, (_, i) => dy[i % dy.length] / 2)], grads: {}}),
};

const SWAP = (n) =>
  n.attrs.first
    ? "with its columns reversed."
    : "with its columns reversed, and the halves of its in-channels swapped, as those are pairs too: c\u2032 is c's place in the other half.";
const C2 = (n) => (n.attrs.first ? "c" : "c\u2032");
const ofPartner = (rows) => rows.map((r) => ({...r, label: `${r.label}, partner`}));

CELLS.MirrorConv2D = {
  does: "every filter is used as it is and mirrored, so that an image and its mirror image are treated alike",
  y(n, k) {
    const {both, g, F} = mirrored(n);
    const {b} = n.P;
    const place = at(n.s, k);
    const map = place[2];
    const f = map % F;
    const {top, left, sh, sw} = pads(g);
    const parts = patchSum(n.X(), both, g, place, (c) => ({
      label: `in-channel ${c}`,
      an: "patch of x",
      bn: map < F ? `filter ${f}` : `filter ${f} mirrored, its channel ${otherHalf(c, g.C, n.attrs.first)}`,
      to: goX,
      toB: (m) => goGrad("w")(both.from[m]),
    }));
    const [index, w] =
      map < F ? ["f", "w_{p,q,c,f}"] : ["F+f", `w_{p,\u2009${g.kw - 1}-q,\u2009${C2(n)},\u2009f}`];
    return {
      ...finish(parts.groups, b && b.v[f], {goBias: b && goGrad("b")(f)}),
      box: {...parts.box, on: "A"},
      eq: `y_{i,j,${index}} = ${b ? "b_f + " : ""}\\sum_{p,q,c} x_{${steps(sh, "i", "p", top)},\u2009${steps(sw, "j", "q", left)},\u2009c} · ${w}`,
      note:
        map < F
          ? `Map ${map + F} is its partner, made by the same filter ${SWAP(n)}`
          : `This is the partner of map ${f}, made by the same filter ${SWAP(n)}`,
    };
  },
  dx(n, k) {
    const {both, g, F} = mirrored(n);
    const {top, left, sh, sw} = pads(g);
    const parts = turnedSum(n.DY(), both, g, at(n.X().s, k), (f) => ({
      label: f < F ? `filter ${f}` : `filter ${f - F}, mirrored`,
      an: "dy, where x went",
      bn: f < F ? "filter, turned" : "partner, turned",
      to: goDy,
      toB: (m) => goGrad("w")(both.from[m]),
    }));
    return {
      ...finish(parts.groups),
      box: parts.box && {...parts.box, on: "B"},
      note: `${TURNED} v are all filters and their partners: both maps of a pair give back.`,
      eq: `dx_{r,s,c} = \\sum_{i,j,f} dy_{i,j,f} · v_{${back(sh, "r", "i", top)},\u2009${back(sw, "s", "j", left)},\u2009c,f}`,
    };
  },
  grads: {
    w(n, k) {
      const {both, g} = mirrored(n);
      const [place, other] = both.from.flatMap((m, i) => (m === k ? [at(both.s, i)] : []));
      const [a, b] = [place, other].map((p) => weightSum(n.X(), n.DY(), g, p, goX, goDy));
      return {
        value: a.value + b.value,
        abs: a.abs + b.abs,
        n: a.n + b.n,
        rows: [...a.rows, ...ofPartner(b.rows)],
        span: a.span,
        on: {A: place[2], B: place[3]},
        addends: [
          {label: `(1) at [${place.slice(0, 3).join(", ")}] of the filter, for map ${place[3]}`, v: a.value},
          {label: `(2) at [${other.slice(0, 3).join(", ")}] of its partner, for map ${other[3]}`, v: b.value},
        ],
        note: `v are the filters and their partners, dv is as in any convolution. One weight stands in two filters, so its gradient is the sum of both. ${ONE_WEIGHT}${shared(n)}`,
        head: ["output", "x", "dy", "product"],
        eq: `dw_{p,q,c,f} = dv_{p,q,c,f} + dv_{p,\u2009${g.kw - 1}-q,\u2009${C2(n)},\u2009F+f}`,
      };
    },
    b(n, f) {
      const [a, b] = [f, f + n.P.b.v.length].map((map) => biasSum(n, map));
      return {
        ...a,
        value: a.value + b.value,
        abs: a.abs + b.abs,
        n: a.n + b.n,
        rows: [...a.rows, ...ofPartner(b.rows)],
        on: {B: f},
        eq: "db_f = \\sum_{i,j} dy_{i,j,f} + \\sum_{i,j} dy_{i,j,F+f}",
        note: `A bias is added at every place of both maps of its pair.${shared(n)}`,
      };
    },
  },
};

CELLS.MirrorBatchNorm = {
  ...CELLS.BatchNorm,
  does: "batch norm that takes the two maps of a pair as one channel: they share mean, variance, \u03b3 and \u03b2",
};

CELLS.MirrorMean = {
  does: "the mean of each map and its partner, which is the same for an image and its mirror image",
  y(n, f) {
    const [a, b] = [ref.x(n, f), ref.x(n, f + size(n.s))];
    const value = (a.v + b.v) / 2;
    return {
      value,
      abs: (Math.abs(a.v) + Math.abs(b.v)) / 2,
      n: 2,
      eq: "y_f = \\frac{1}{2} ( x_f + x_{F+f} )",
      line: L`(${a} + ${b}) / 2 = ${value}`,
      note: "For the mirror image the two have changed places, and their mean stays.",
    };
  },
  dx(n, i) {
    const dy = ref.dy(n, i % size(n.s));
    const value = dy.v / 2;
    return {
      value,
      abs: Math.abs(value),
      n: 1,
      eq: "dx_f = dx_{F+f} = \\frac{1}{2} dy_f",
      line: L`${dy} / 2 = ${value}`,
    };
  },
};
