// Losses. run -> what is shown; pull -> dL/dx, which begins with L itself; loss -> L of this image.

Object.assign(PASSES, {
  SoftmaxCE: {
    run: (n, [x]) => softmax(x.v),
    pull(n, [x], _, P) {
      const a = softmax(x.v);
      const y = map(P.target, (t, k) => t * P.weight.v[k]);
      const all = sum(y);
      return {dxs: [a.map((v, k) => (v * all - y[k]) / n.attrs.total)], grads: {}};
    },
    loss(n, [x], P) {
      const top = Math.max(...x.v);
      const z = Math.log(sum(Array.from(x.v, (v) => Math.exp(v - top))));
      return sum(map(P.target, (t, k) => (t ? -t * P.weight.v[k] * (x.v[k] - top - z) : 0))) / n.attrs.own;
    },
  },
  BCE: {
    run: (n, [x]) => map(x, logistic),
    pull: (n, [x], _, P) => ({
      dxs: [map(x, (s, i) => ((logistic(s) - P.target.v[i]) * n.attrs.mean) / n.attrs.n)],
      grads: {},
    }),
    loss: (n, [x], P) => n.attrs.mean * sum(map(x, (s, i) => bce(s, P.target.v[i]))),
  },
  MSE: {
    run: (n, [x], P) => map(x, (v, i) => (v - P.target.v[i]) ** 2),
    pull: (n, [x], _, P) => ({
      dxs: [map(x, (v, i) => (2 * (v - P.target.v[i]) * n.attrs.mean) / n.attrs.n)],
      grads: {},
    }),
    loss: (n, [x], P) => n.attrs.mean * sum(map(x, (v, i) => (v - P.target.v[i]) ** 2)),
  },
  KL: {
    run: (n, [x]) => zeros(x.v.length / 2).map((_, d) => klOf(x.v[d], x.v[d + x.v.length / 2])),
    pull(n, [x]) {
      const D = x.v.length / 2;
      return {dxs: [map(x, (v, i) => (i < D ? v : (Math.exp(v) - 1) / 2) / n.attrs.n)], grads: {}};
    },
    loss: (n, [x]) => sum(PASSES.KL.run(n, [x])),
  },
});

const bce = (s, t) => Math.max(s, 0) - s * t + Math.log1p(Math.exp(-Math.abs(s)));
const klOf = (m, v) => (Math.exp(v) + m * m - 1 - v) / 2;

function softmax(s) {
  const top = Math.max(...s);
  const e = Float64Array.from(s, (v) => Math.exp(v - top));
  const z = sum(e);
  return e.map((v) => v / z);
}
