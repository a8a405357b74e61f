// Convolution, whole. g is its geometry: {kh, kw, C, F, stride: [sh, sw], pads: [[top, ], [left, ]],
// dilation: [dh, dw], groups}, w (kh, kw, C, F), C the channels of one group. Its transpose is the same
// three functions with the roles of x and y exchanged.

// Calls each(output pixel, input pixel, place in the kernel) wherever the kernel meets x, and
// miss(output pixel, place in the kernel) where it lies on the padding.
function meet(g, [H, W], [OH, OW], each, miss) {
  const {kh, kw} = g;
  const {top, left, sh, sw, dh, dw} = pads(g);
  for (let i = 0; i < OH; i++)
    for (let j = 0; j < OW; j++)
      for (let p = 0; p < kh; p++) {
        const r = i * sh + p * dh - top;
        for (let q = 0; q < kw; q++) {
          const t = j * sw + q * dw - left;
          if (r >= 0 && r < H && t >= 0 && t < W) each(i * OW + j, r * W + t, p * kw + q);
          else miss?.(i * OW + j, p * kw + q);
        }
      }
}

// The filters that see channel c of all: from the first to before the last, and c's place in its group.
const filtersOf = (c, {C, F, groups}) => {
  const each = F / groups;
  const first = Math.floor(c / C) * each;
  return [first, first + each, c % C];
};

function convY(x, hw, w, g, ohw) {
  const {C, F} = g;
  const all = C * g.groups; // channels of x
  const y = zeros(ohw[0] * ohw[1] * F);
  const add = (o, k, a, c) => {
    const [first, last, own] = filtersOf(c, g);
    const row = (k * C + own) * F;
    for (let f = first; f < last; f++) y[o * F + f] += a * w[row + f];
  };
  const each = (o, m, k) => {
    for (let c = 0; c < all; c++) add(o, k, x[m * all + c], c);
  };
  const miss = (o, k) => {
    for (let c = 0; c < all; c++) add(o, k, 0, c);
  };
  meet(g, hw, ohw, each, w.every(Number.isFinite) ? null : miss); // 0 * NaN is NaN
  return y;
}

function convDx(dy, ohw, w, g, hw) {
  const {C, F} = g;
  const all = C * g.groups;
  const dx = zeros(hw[0] * hw[1] * all);
  meet(g, hw, ohw, (o, m, k) => {
    for (let c = 0; c < all; c++) {
      const [first, last, own] = filtersOf(c, g);
      const row = (k * C + own) * F;
      let s = 0;
      for (let f = first; f < last; f++) s += dy[o * F + f] * w[row + f];
      dx[m * all + c] += s;
    }
  });
  return dx;
}

function convDw(x, hw, dy, ohw, g) {
  const {C, F} = g;
  const all = C * g.groups;
  const dw = zeros(g.kh * g.kw * C * F);
  meet(g, hw, ohw, (o, m, k) => {
    for (let c = 0; c < all; c++) {
      const [first, last, own] = filtersOf(c, g);
      const a = x[m * all + c];
      const row = (k * C + own) * F;
      for (let f = first; f < last; f++) dw[row + f] += a * dy[o * F + f];
    }
  });
  return dw;
}

const PLAIN = {dilation: [1, 1], groups: 1};
const geometry = (w, attrs) => ({kh: w.s[0], kw: w.s[1], C: w.s[2], F: w.s[3], ...PLAIN, ...attrs});

function channelSums(v, C) {
  const s = zeros(C);
  for (let i = 0; i < v.length; i++) s[i % C] += v[i];
  return s;
}

function addBias(y, b) {
  if (b) for (let i = 0; i < y.length; i++) y[i] += b.v[i % b.v.length];
  return y;
}
