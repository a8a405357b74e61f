// The products behind one number of a layer with weights: convolution, its transpose, dense.
// Each function gives {value, abs, n, ...}: the sum, the sum of its magnitudes, how many terms; and
// what is shown of it. groups are matrices of factors a and b; goA and goB say where each is made.

const CELLS = {};
const steps = (s, i, p, pad) => `${s > 1 ? s : ""}${i}+${p}${pad ? `-${pad}` : ""}`; // an index as text
const back = (s, r, i, pad) => `${r}${pad ? `+${pad}` : ""}-${s > 1 ? s : ""}${i}`;

function finish(groups, bias, more) { // sums the groups up
  let abs = Math.abs(bias ?? 0), n = 0;
  for (const g of groups) {
    g.sum = 0;
    g.a.forEach((a, k) => { const p = a * g.b[k]; g.sum += p; abs += Math.abs(p); });
    n += g.a.length;
  }
  const value = sum(groups.map((g) => g.sum)) + (bias ?? 0);
  return {value, abs, n, groups, bias, ...more};
}

// sum over c, p, q of image[i*s+p-top, j*s+q-left, c] * w[p, q, c, f]: one matrix a channel c
function patchSum(image, w, g, [i, j, f], labels) {
  const [H, W, C] = image.s, {kh, kw, F, stride: [sh, sw], pads: [[top], [left]]} = g, groups = [];
  for (let c = 0; c < C; c++) {
    const one = {...labels(c), channel: c, rows: kh, cols: kw, a: [], b: [], goA: [], goB: []};
    for (let p = 0; p < kh; p++)
      for (let q = 0; q < kw; q++) {
        const r = i * sh + p - top, t = j * sw + q - left, inside = r >= 0 && r < H && t >= 0 && t < W;
        const m = inside ? flat(image.s, [r, t, c]) : -1, k = ((p * kw + q) * C + c) * F + f;
        one.a.push(inside ? image.v[m] : 0); one.goA.push(m);
        one.b.push(w.v[k]); one.goB.push(k);
      }
    groups.push(one);
  }
  return {groups, box: {i: i * sh - top, j: j * sw - left, h: kh, w: kw}};
}

// sum over f, i, j of map[i, j, f] * w[r+top-i*s, t+left-j*s, c, f]: one matrix a channel f. As the
// output moves on, the place in the kernel moves back: the filter appears turned by 180 degrees.
function turnedSum(map, w, g, [r, t, c], labels) {
  const [OH, OW, F] = map.s, {kh, kw, C, stride: [sh, sw], pads: [[top], [left]]} = g;
  const reach = (x, pad, k, s) => { // the outputs whose patch holds x
    const found = [];
    for (let o = Math.ceil((x + pad - k + 1) / s); o <= Math.floor((x + pad) / s); o++) found.push(o);
    return found;
  };
  const rows = reach(r, top, kh, sh), cols = reach(t, left, kw, sw), groups = [];
  for (let f = 0; f < F; f++) {
    const one = {...labels(f), channel: f, rows: rows.length, cols: cols.length, a: [], b: [], goA: [], goB: []};
    for (const i of rows)
      for (const j of cols) {
        const inside = i >= 0 && i < OH && j >= 0 && j < OW, m = inside ? flat(map.s, [i, j, f]) : -1;
        const k = (((r + top - i * sh) * kw + (t + left - j * sw)) * C + c) * F + f;
        one.a.push(inside ? map.v[m] : 0); one.goA.push(m);
        one.b.push(w.v[k]); one.goB.push(k);
      }
    groups.push(one);
  }
  const box = rows.length && cols.length ? {i: rows[0], j: cols[0], h: rows.length, w: cols.length} : null;
  return {groups, box};
}

// sum over i, j of image[i*s+p-top, j*s+q-left, c] * map[i, j, f]: the products of one weight
function weightSum(image, map, g, [p, q, c, f], goImage, goMap) {
  const [H, W] = image.s, [OH, OW] = map.s, {stride: [sh, sw], pads: [[top], [left]]} = g, rows = [];
  let value = 0, abs = 0;
  for (let i = 0; i < OH; i++)
    for (let j = 0; j < OW; j++) {
      const r = i * sh + p - top, t = j * sw + q - left;
      if (r < 0 || r >= H || t < 0 || t >= W) continue;
      const m = flat(image.s, [r, t, c]), o = flat(map.s, [i, j, f]), a = image.v[m], b = map.v[o];
      rows.push({label: `${i}, ${j}`, a, b, goA: goImage(m), goB: goMap(o), product: a * b});
      value += a * b; abs += Math.abs(a * b);
    }
  const span = {i: p - top, j: q - left, h: (OH - 1) * sh + 1, w: (OW - 1) * sw + 1};
  return {value, abs, n: rows.length, rows, span};
}

// sum over the pixels of dy: the products of one bias
function biasSum(n, f) {
  const dy = n.DY(), C = dims(dy.s)[2], rows = [];
  for (let i = f; i < dy.v.length; i += C)
    rows.push({label: at(dy.s, i).slice(0, -1).join(", ") || "all", a: dy.v[i], goA: goDy(i), product: dy.v[i]});
  return {value: sum(rows.map((r) => r.a)), abs: sumAbs(rows.map((r) => r.a)), n: rows.length, rows,
    head: ["output", "dy", "", ""], eq: "db_f = \\sum_{i,j} dy_{i,j,f}",
    note: "A bias is added at every place, so its gradient is the sum over all places."};
}

const goX = (cell, slot = 0) => ({to: "x", slot, cell});
const goDy = (cell, user = 0) => ({to: "dy", user, cell});
const goGrad = (name) => (cell) => ({to: "grad", name, cell});
const pads = ({pads: [[top], [left]], stride: [sh, sw]}) => ({top, left, sh, sw});
const shared = (n) => (n.run.run === "train"
  ? " This is the image's share of the batch's gradient, which is the sum over its images." : "");
const ONE_WEIGHT = "One weight is used at every place, so its gradient is a sum over all places.";
const TURNED = "x took part in these outputs. As the output moves on, its place in the filter moves back: "
  + "seen from x, the filter is turned by 180\u00b0.";

CELLS.Conv2D = {
  does: "every output is one patch of the input times a filter, plus the filter's bias",
  y(n, k) {
    const {w, b} = n.P, g = geometry(w, n.attrs), place = at(n.s, k), {top, left, sh, sw} = pads(g);
    const parts = patchSum(n.X(), w, g, place, (c) => ({label: `in-channel ${c}`, an: "patch of x", bn: "filter", to: goX, toB: goGrad("w")}));
    return {...finish(parts.groups, b && b.v[place[2]], {goBias: b && goGrad("b")(place[2])}), box: {...parts.box, on: "A"},
      eq: `y_{i,j,f} = ${b ? "b_f + " : ""}\\sum_{p,q,c} x_{${steps(sh, "i", "p", top)},\u2009${steps(sw, "j", "q", left)},\u2009c} · w_{p,q,c,f}`};
  },
  dx(n, k) {
    const {w} = n.P, g = geometry(w, n.attrs), {top, left, sh, sw} = pads(g);
    const parts = turnedSum(n.DY(), w, g, at(n.X().s, k), (f) => ({label: `filter ${f}`, an: "dy, where x went", bn: "filter, turned", to: goDy, toB: goGrad("w")}));
    return {...finish(parts.groups), box: parts.box && {...parts.box, on: "B"}, note: TURNED,
      eq: `dx_{r,s,c} = \\sum_{i,j,f} dy_{i,j,f} · w_{${back(sh, "r", "i", top)},\u2009${back(sw, "s", "j", left)},\u2009c,f}`};
  },
  grads: {
    w(n, k) {
      const {w} = n.P, g = geometry(w, n.attrs), place = at(w.s, k), {top, left, sh, sw} = pads(g);
      return {...weightSum(n.X(), n.DY(), g, place, goX, goDy), on: {A: place[2], B: place[3]}, note: ONE_WEIGHT + shared(n),
        head: ["output", "x", "dy", "product"],
        eq: `dw_{p,q,c,f} = \\sum_{i,j} x_{${steps(sh, "i", "p", top)},\u2009${steps(sw, "j", "q", left)},\u2009c} · dy_{i,j,f}`};
    },
    b: (n, f) => ({...biasSum(n, f), on: {B: f}}),
  },
};

CELLS.ConvTranspose2D = {
  does: "every input paints its value times a filter into the output; where these overlap, they add up",
  y(n, k) {
    const {w, b} = n.P, g = geometry(w, n.attrs), place = at(n.s, k), {top, left, sh, sw} = pads(g);
    const parts = turnedSum(n.X(), w, g, place, (c) => ({label: `in-channel ${c}`, an: "x that painted here", bn: "filter, turned", to: goX, toB: goGrad("w")}));
    return {...finish(parts.groups, b && b.v[place[2]], {goBias: b && goGrad("b")(place[2])}), box: parts.box && {...parts.box, on: "A"},
      eq: `y_{r,s,f} = ${b ? "b_f + " : ""}\\sum_{i,j,c} x_{i,j,c} · w_{${back(sh, "r", "i", top)},\u2009${back(sw, "s", "j", left)},\u2009f,c}`};
  },
  dx(n, k) {
    const {w} = n.P, g = geometry(w, n.attrs), {top, left, sh, sw} = pads(g);
    const parts = patchSum(n.DY(), w, g, at(n.X().s, k), (f) => ({label: `filter ${f}`, an: "patch of dy", bn: "filter", to: goDy, toB: goGrad("w")}));
    return {...finish(parts.groups), box: {...parts.box, on: "B"}, note: "The transpose of a transpose is the convolution itself.",
      eq: `dx_{i,j,c} = \\sum_{p,q,f} dy_{${steps(sh, "i", "p", top)},\u2009${steps(sw, "j", "q", left)},\u2009f} · w_{p,q,f,c}`};
  },
  grads: {
    w(n, k) {
      const {w} = n.P, g = geometry(w, n.attrs), place = at(w.s, k), {top, left, sh, sw} = pads(g);
      const e = weightSum(n.DY(), n.X(), g, place, goDy, goX);
      return {...e, span: undefined, on: {A: place[3], B: place[2]}, note: ONE_WEIGHT + shared(n), head: ["input", "dy", "x", "product"],
        eq: `dw_{p,q,f,c} = \\sum_{i,j} dy_{${steps(sh, "i", "p", top)},\u2009${steps(sw, "j", "q", left)},\u2009f} · x_{i,j,c}`};
    },
    b: (n, f) => ({...biasSum(n, f), on: {B: f}}),
  },
};

function rowsOf(count, bias, row) { // a sum of products, one a row
  const rows = Array.from({length: count}, (_, d) => { const r = row(d); return {...r, product: r.a * r.b}; });
  const products = rows.map((r) => r.product);
  return {value: sum(products) + (bias ?? 0), abs: sumAbs(products) + Math.abs(bias ?? 0), n: count, rows, bias};
}

CELLS.Dense = {
  does: "every output is all inputs, each times its weight, plus a bias",
  y(n, k) {
    const {w, b} = n.P, [D, K] = w.s, x = n.X().v;
    return {...rowsOf(D, b && b.v[k], (d) => ({label: `${d}`, a: x[d], b: w.v[d * K + k], goA: goX(d), goB: goGrad("w")(d * K + k)})),
      goBias: b && goGrad("b")(k), head: ["input", "x", "w", "product"],
      eq: `y_k = ${b ? "b_k + " : ""}\\sum_d x_d · w_{d,k}`};
  },
  dx(n, d) {
    const {w} = n.P, K = w.s[1], dy = n.DY().v;
    return {...rowsOf(K, undefined, (k) => ({label: n.className(k), a: dy[k], b: w.v[d * K + k], goA: goDy(k), goB: goGrad("w")(d * K + k)})),
      head: ["output", "dy", "w", "product"], eq: "dx_d = \\sum_k dy_k · w_{d,k}"};
  },
  grads: {
    w(n, i) {
      const K = n.P.w.s[1], x = ref.x(n, Math.floor(i / K)), dy = ref.dy(n, i % K), value = x.v * dy.v;
      return {value, abs: Math.abs(value), n: 1, eq: "dw_{d,k} = x_d · dy_k", line: L`${x} · ${dy} = ${value}`,
        note: shared(n).trim()};
    },
    b(n, k) {
      const dy = ref.dy(n, k);
      return {value: dy.v, abs: Math.abs(dy.v), n: 1, eq: "db_k = dy_k", line: L`${dy}`, note: shared(n).trim()};
    },
  },
};
