// The products behind one number of a layer with weights: convolution, its transpose, dense.
// Each function gives {value, abs, n, ...}: the sum, the sum of its magnitudes, how many terms; and
// what is shown of it. groups are matrices of factors a and b; goA and goB say where each is made.

const CELLS = {};
const times = (d, p) => `${d > 1 ? d : ""}${p}`;
const steps = (s, i, p, pad, d) => `${times(s, i)}+${times(d, p)}${pad ? `-${pad}` : ""}`; // an index as text
const back = (s, r, i, pad) => `${r}${pad ? `+${pad}` : ""}-${times(s, i)}`;
const over = (d, index) => (d > 1 ? `(${index})/${d}` : index);

function finish(groups, bias, more) {
  // sums the groups up
  let abs = Math.abs(bias ?? 0);
  let n = 0;
  for (const g of groups) {
    g.sum = 0;
    g.a.forEach((a, k) => {
      const p = a * g.b[k];
      g.sum += p;
      abs += Math.abs(p);
    });
    n += g.a.length;
  }
  const value = sum(groups.map((g) => g.sum)) + (bias ?? 0);
  return {value, abs, n, groups, bias, ...more};
}

// sum over c, p, q of image[i*s+p*d-top, j*s+q*d-left, c] * w[p, q, c, f]: one matrix a channel c of
// those in the filter's group
function patchSum(image, w, g, [i, j, f], labels) {
  const [H, W] = image.s;
  const {kh, kw, C, F} = g;
  const {top, left, sh, sw, dh, dw} = pads(g);
  const first = groupOf(f, F, g) * C;
  const groups = [];
  for (let c = 0; c < C; c++) {
    const seen = first + c; // the image's channel
    const one = {...labels(seen), channel: seen, rows: kh, cols: kw, a: [], b: [], goA: [], goB: []};
    for (let p = 0; p < kh; p++)
      for (let q = 0; q < kw; q++) {
        const r = i * sh + p * dh - top;
        const t = j * sw + q * dw - left;
        const inside = r >= 0 && r < H && t >= 0 && t < W;
        const m = inside ? flat(image.s, [r, t, seen]) : -1;
        const k = ((p * kw + q) * C + c) * F + f;
        one.a.push(inside ? image.v[m] : 0);
        one.goA.push(m);
        one.b.push(w.v[k]);
        one.goB.push(k);
      }
    groups.push(one);
  }
  const box = {i: i * sh - top, j: j * sw - left, h: (kh - 1) * dh + 1, w: (kw - 1) * dw + 1};
  return {groups, box};
}

// sum over f, i, j of map[i, j, f] * w[(r+top-i*s)/d, (t+left-j*s)/d, c, f]: one matrix a channel f of
// those in c's group. As the output moves on, the place in the kernel moves back: the filter appears
// turned by 180 degrees.
function turnedSum(map, w, g, [r, t, c], labels) {
  const [OH, OW, maps] = map.s;
  const {kh, kw, C, F} = g;
  const {top, left, sh, sw, dh, dw} = pads(g);
  const reach = (x, pad, k, s, d) => {
    // the outputs whose patch holds x
    const found = [];
    for (let o = Math.ceil((x + pad - (k - 1) * d) / s); o <= Math.floor((x + pad) / s); o++)
      if ((x + pad - o * s) % d === 0) found.push(o);
    return found;
  };
  const rows = reach(r, top, kh, sh, dh);
  const cols = reach(t, left, kw, sw, dw);
  const groups = [];
  const each = maps / g.groups;
  const first = Math.floor(c / C) * each;
  for (let f = first; f < first + each; f++) {
    const one = {
      ...labels(f),
      channel: f,
      rows: rows.length,
      cols: cols.length,
      a: [],
      b: [],
      goA: [],
      goB: [],
    };
    for (const i of rows)
      for (const j of cols) {
        const inside = i >= 0 && i < OH && j >= 0 && j < OW;
        const m = inside ? flat(map.s, [i, j, f]) : -1;
        const k = ((((r + top - i * sh) / dh) * kw + (t + left - j * sw) / dw) * C + (c % C)) * F + f;
        one.a.push(inside ? map.v[m] : 0);
        one.goA.push(m);
        one.b.push(w.v[k]);
        one.goB.push(k);
      }
    groups.push(one);
  }
  const long = (list) => list[list.length - 1] - list[0] + 1;
  const box = rows.length && cols.length ? {i: rows[0], j: cols[0], h: long(rows), w: long(cols)} : null;
  return {groups, box};
}

// sum over i, j of image[i*s+p*d-top, j*s+q*d-left, c] * map[i, j, f]: the products of one weight
function weightSum(image, map, g, [p, q, c, f], goImage, goMap) {
  const [H, W] = image.s;
  const [OH, OW] = map.s;
  const {top, left, sh, sw, dh, dw} = pads(g);
  const seen = groupOf(f, g.F, g) * g.C + c; // the image's channel
  const rows = [];
  let value = 0;
  let abs = 0;
  for (let i = 0; i < OH; i++)
    for (let j = 0; j < OW; j++) {
      const r = i * sh + p * dh - top;
      const t = j * sw + q * dw - left;
      if (r < 0 || r >= H || t < 0 || t >= W) continue;
      const m = flat(image.s, [r, t, seen]);
      const o = flat(map.s, [i, j, f]);
      const a = image.v[m];
      const b = map.v[o];
      rows.push({label: `${i}, ${j}`, a, b, goA: goImage(m), goB: goMap(o), product: a * b});
      value += a * b;
      abs += Math.abs(a * b);
    }
  const span = {i: p * dh - top, j: q * dw - left, h: (OH - 1) * sh + 1, w: (OW - 1) * sw + 1};
  return {value, abs, n: rows.length, rows, span};
}

// sum over the pixels of dy: the products of one bias
function biasSum(n, f) {
  const dy = n.DY();
  const C = dims(dy.s)[2];
  const rows = [];
  for (let i = f; i < dy.v.length; i += C)
    rows.push({
      label: at(dy.s, i).slice(0, -1).join(", ") || "all",
      a: dy.v[i],
      goA: goDy(i),
      product: dy.v[i],
    });
  return {
    value: sum(rows.map((r) => r.a)),
    abs: sumAbs(rows.map((r) => r.a)),
    n: rows.length,
    rows,
    head: ["output", "dy", "", ""],
    eq: "db_f = \\sum_{i,j} dy_{i,j,f}",
    note: "A bias is added at every place, so its gradient is the sum over all places.",
  };
}

const goX = (cell, slot = 0) => ({to: "x", slot, cell});
const goDy = (cell, user = 0) => ({to: "dy", user, cell});
const goGrad = (name) => (cell) => ({to: "grad", name, cell});
const pads = ({pads: [[top], [left]], stride: [sh, sw], dilation: [dh, dw]}) => ({top, left, sh, sw, dh, dw});
const groupOf = (f, F, {groups}) => Math.floor((f * groups) / F); // of filter f
const inGroups = ({groups, C}) =>
  groups > 1 ? ` There are ${groups} groups of ${C} in-channels: a filter sees those of its own.` : "";
const shared = (n) =>
  n.run.run === "train"
    ? " This is the image's share of the batch's gradient, which is the sum over its images."
    : "";
const ONE_WEIGHT = "One weight is used at every place, so its gradient is a sum over all places.";
const TURNED =
  "x took part in these outputs. As the output moves on, its place in the filter moves back: " +
  "seen from x, the filter is turned by 180\u00b0.";
