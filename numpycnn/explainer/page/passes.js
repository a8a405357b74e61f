// Each layer's passes over whole arrays, in float64: the page runs them when a weight or a pixel is
// moved. run(n, x, P) -> y of the inputs x (a list) and the parameters P; pull(n, x, dy, P, y) ->
// {dxs, grads}: one gradient an input, one a parameter. n is the node: its attrs, and its shape n.s.

const map = (x, f) => {
  const y = zeros(x.v.length);
  for (let i = 0; i < y.length; i++) y[i] = f(x.v[i], i);
  return y;
};
const same = {
  run: (n, [x]) => map(x, (v) => v),
  pull: (n, x, dy) => ({dxs: [Float64Array.from(dy)], grads: {}}),
};

// y = f(x), dx = dy f'(x), element by element
const pointwise = (f, slope, grads = () => ({})) => ({
  run: (n, [x], P) => map(x, (v, i) => f(v, n, P, i)),
  pull: (n, [x], dy, P) => ({dxs: [map(x, (v, i) => dy[i] * slope(v, n, P, i))], grads: grads(n, x, dy, P)}),
});

const logistic = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
// The normal distribution's Phi, by Marsaglia's series, and its density.
const density = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
function normal(x) {
  if (!(Math.abs(x) <= 8)) return x > 0 ? 1 : x < 0 ? 0 : NaN;
  let term = x;
  let total = x;
  for (let k = 3; total + term !== total; k += 2) {
    term *= (x * x) / k;
    total += term;
  }
  return 0.5 + total * density(x);
}
const alphaOf = (P, i) => P.alpha.v[i % P.alpha.v.length];
const ACT = {
  // value and slope; at 0, where there is no slope, the left one, as the library's
  Identity: [(x) => x, () => 1],
  ReLU: [(x) => (x > 0 || x !== x ? x : 0), (x) => (x > 0 ? 1 : 0)],
  LeakyReLU: [
    (x, n) => (x > 0 ? x : n.attrs.negative_slope * x),
    (x, n) => (x > 0 ? 1 : n.attrs.negative_slope),
  ],
  PReLU: [(x, n, P, i) => (x > 0 ? x : alphaOf(P, i) * x), (x, n, P, i) => (x > 0 ? 1 : alphaOf(P, i))],
  ELU: [
    (x, n) => (x > 0 ? x : n.attrs.alpha * Math.expm1(x)),
    (x, n) => (x > 0 ? 1 : n.attrs.alpha * Math.exp(x)),
  ],
  Sigmoid: [logistic, (x) => logistic(x) * logistic(-x)],
  Tanh: [Math.tanh, (x) => 1 - Math.tanh(x) ** 2],
  SiLU: [(x) => x * logistic(x), (x) => logistic(x) * (1 + x * logistic(-x))],
  GELU: [(x) => x * normal(x), (x) => normal(x) + x * density(x)],
  HardSwish: [
    (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
    (x) => (x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 1 / 2),
  ],
  Dropout: [(x, n, P, i) => x * P.mask.v[i], (x, n, P, i) => P.mask.v[i]],
  Standardize: [(x, n) => (x - n.attrs.mean) / n.attrs.std, (x, n) => n.attrs.unit / n.attrs.std],
};

const PASSES = {
  Input: {run: (n, x) => x[0].v, pull: () => ({dxs: [], grads: {}})},
  Flatten: same,
  Reshape: same,
  Fork: same,
  Pick: {
    run: (n, [x]) => x.v.slice(n.attrs.from, n.attrs.from + size(n.s)),
    pull(n, [x], dy) {
      const dx = zeros(x.v.length);
      dx.set(dy, n.attrs.from);
      return {dxs: [dx], grads: {}};
    },
  },
  Conv2D: {
    run: (n, [x], P) => addBias(convY(x.v, x.s, P.w.v, geometry(P.w, n.attrs), n.s), P.b),
    pull(n, [x], dy, P) {
      const g = geometry(P.w, n.attrs);
      return {
        dxs: [convDx(dy, n.s, P.w.v, g, x.s)],
        grads: {w: convDw(x.v, x.s, dy, n.s, g), ...(P.b && {b: channelSums(dy, g.F)})},
      };
    },
  },
  ConvTranspose2D: {
    run: (n, [x], P) => addBias(convDx(x.v, x.s, P.w.v, geometry(P.w, n.attrs), n.s), P.b),
    pull(n, [x], dy, P) {
      const g = geometry(P.w, n.attrs);
      return {
        dxs: [convY(dy, n.s, P.w.v, g, x.s)],
        grads: {w: convDw(dy, n.s, x.v, x.s, g), ...(P.b && {b: channelSums(dy, g.C)})},
      };
    },
  },
  Dense: {
    run(n, [x], P) {
      const [D, K] = P.w.s;
      const y = zeros(K);
      for (let d = 0; d < D; d++) for (let k = 0; k < K; k++) y[k] += x.v[d] * P.w.v[d * K + k];
      return addBias(y, P.b);
    },
    pull(n, [x], dy, P) {
      const [D, K] = P.w.s;
      const dx = zeros(D);
      const w = zeros(D * K);
      for (let d = 0; d < D; d++)
        for (let k = 0; k < K; k++) {
          dx[d] += dy[k] * P.w.v[d * K + k];
          w[d * K + k] = x.v[d] * dy[k];
        }
      return {dxs: [dx], grads: {w, ...(P.b && {b: Float64Array.from(dy)})}};
    },
  },
  BatchNorm: {
    run: (n, [x], P) =>
      map(x, (v, i) => P.gamma.v[i % P.gamma.v.length] * xhat(n, P, v, i) + P.beta.v[i % P.gamma.v.length]),
    pull(n, [x], dy, P) {
      const C = P.gamma.v.length;
      const train = n.attrs.train;
      const M = n.attrs.m;
      const beta = channelSums(dy, C);
      const gamma = channelSums(
        map(x, (v, i) => dy[i] * xhat(n, P, v, i)),
        C,
      );
      if (train)
        for (let c = 0; c < C; c++) {
          beta[c] += P.rest_dy.v[c];
          gamma[c] += P.rest_dyx.v[c];
        }
      const dx = map(x, (v, i) => {
        const c = i % C;
        const rest = train ? beta[c] / M + (xhat(n, P, v, i) * gamma[c]) / M : 0;
        return (P.gamma.v[c] / Math.sqrt(P.var.v[c] + n.attrs.eps)) * (dy[i] - rest);
      });
      return {dxs: [dx], grads: {gamma, beta}};
    },
  },
  MaxPool2D: {
    run: (n, [x]) => perWindow(n, x, (values) => values[winner(values)]),
    pull: (n, [x], dy) =>
      spread(n, x, dy, (values) => {
        const w = winner(values);
        return (k) => (k === w ? 1 : 0);
      }),
  },
  AvgPool2D: {
    run: (n, [x]) => perWindow(n, x, (values) => sum(values) / values.length),
    pull: (n, [x], dy) => spread(n, x, dy, (values) => () => 1 / values.length),
  },
  GlobalAvgPool: {
    run(n, [x]) {
      const [H, W, C] = x.s;
      return channelSums(x.v, C).map((s) => s / (H * W));
    },
    pull(n, [x], dy) {
      const [H, W, C] = x.s;
      return {dxs: [map(x, (_, i) => dy[i % C] / (H * W))], grads: {}};
    },
  },
  Upsample2D: {
    run: (n, [x]) => Float64Array.from({length: size(n.s)}, (_, k) => x.v[upsampledFrom(n, x.s, k)]),
    pull(n, [x], dy) {
      const dx = zeros(x.v.length);
      for (let k = 0; k < dy.length; k++) dx[upsampledFrom(n, x.s, k)] += dy[k];
      return {dxs: [dx], grads: {}};
    },
  },
  Sampling: {
    run: (n, [x], P) => map(P.e, (e, d) => x.v[d] + Math.exp(x.v[d + P.e.v.length] / 2) * e),
    pull(n, [x], dy, P) {
      const D = P.e.v.length;
      const dx = map(x, (v, i) => (i < D ? dy[i] : (dy[i - D] * P.e.v[i - D] * Math.exp(v / 2)) / 2));
      return {dxs: [dx], grads: {}};
    },
  },
  Add: {
    run: (n, x) => map(x[0], (_, i) => sum(x.map((t) => t.v[i]))),
    pull: (n, x, dy) => ({dxs: x.map(() => Float64Array.from(dy)), grads: {}}),
  },
  Concat: {
    run(n, x) {
      const y = zeros(size(n.s));
      x.forEach((t, b) =>
        t.v.forEach((v, i) => {
          y[concatPlace(x, b, i)] = v;
        }),
      );
      return y;
    },
    pull: (n, x, dy) => ({dxs: x.map((t, b) => map(t, (_, i) => dy[concatPlace(x, b, i)])), grads: {}}),
  },
};
PASSES.ChannelScale = {
  run: (n, [x, s]) => map(x, (v, i) => v * s.v[i % s.v.length]),
  pull: (n, [x, s], dy) => {
    const C = s.v.length;
    const products = map(x, (v, i) => v * dy[i]);
    return {dxs: [map(x, (_, i) => dy[i] * s.v[i % C]), channelSums(products, C)], grads: {}};
  },
};
for (const [kind, [f, slope]] of Object.entries(ACT)) PASSES[kind] = pointwise(f, slope);
PASSES.PReLU = pointwise(...ACT.PReLU, (n, x, dy, P) => {
  const parts = channelSums(
    map(x, (v, i) => (v > 0 ? 0 : v * dy[i])),
    dims(x.s)[2],
  );
  return {alpha: P.alpha.v.length > 1 ? parts : Float64Array.of(sum(parts))};
});

function xhat(n, P, v, i) {
  // batch norm's x-hat of the value v at number i
  const c = i % P.gamma.v.length;
  return (v - P.mean.v[c]) / Math.sqrt(P.var.v[c] + n.attrs.eps);
}

function perWindow(n, x, f) {
  const y = zeros(size(n.s));
  for (let k = 0; k < y.length; k++) y[k] = f(windowAt(n.attrs, x.s, ...at(n.s, k)).map((i) => x.v[i]));
  return y;
}

function spread(n, x, dy, share) {
  // each window gives its dy to its pixels, share(values)(place) of it
  const dx = zeros(x.v.length);
  for (let k = 0; k < dy.length; k++) {
    const window = windowAt(n.attrs, x.s, ...at(n.s, k));
    const part = share(window.map((i) => x.v[i]));
    window.forEach((i, place) => {
      const share = part(place);
      if (share) dx[i] += dy[k] * share; // NaN * 0 is NaN
    });
  }
  return {dxs: [dx], grads: {}};
}

function upsampledFrom(n, s, k) {
  const [i, j, c] = at(n.s, k);
  const [sh, sw] = n.attrs.size;
  return flat(s, [Math.floor(i / sh), Math.floor(j / sw), c]);
}

function concatPlace(x, branch, i) {
  // where number i of a branch stands in the result
  const widths = x.map((t) => t.s[t.s.length - 1]);
  const c = widths[branch];
  return Math.floor(i / c) * sum(widths) + sum(widths.slice(0, branch)) + (i % c);
}
