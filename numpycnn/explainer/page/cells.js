// The sum behind one number of every other layer. A line is text with numbers in it; those made by
// ref are links to the cell that made them.

const L = (text, ...values) => text.flatMap((t, i) => (i < values.length ? [t, typeof values[i] === "object" ? values[i] : {v: values[i]}] : [t]));
const ref = {
  x: (n, i, slot = 0) => ({v: n.X(slot).v[i], go: goX(i, slot)}),
  dy: (n, i, user = 0) => ({v: n.DY(user).v[i], go: goDy(i, user)}),
  p: (n, name, i) => ({v: n.P[name].v[i], go: goGrad(name)(i)}),
  y: (n, i) => ({v: n.Y.v[i], go: {to: "y", cell: i}}),
};
const joined = (parts, by) => parts.flatMap((p, i) => (i ? [by, p] : [p]));

// One input number makes one output number.
function pointCell(does, eq, deq, more = {}) {
  const {say = () => "", shown = "f", grads = {}} = more;
  return {
    does, grads,
    y(n, i) {
      const [f] = ACT[n.kind] ?? ACT.Identity, x = ref.x(n, i), value = f(x.v, n, n.P, i);
      const abs = Math.abs(value) + (more.abs ? more.abs(n, x.v) : Math.abs(x.v));
      return {value, abs, n: 4, eq: typeof eq === "function" ? eq(n) : eq, line: more.line ? more.line(n, x, value, i) : L`${shown}(${x}) = ${value}`, note: say(n, i)};
    },
    dx(n, i) {
      const slope = (ACT[n.kind] ?? ACT.Identity)[1](n.X().v[i], n, n.P, i), dy = ref.dy(n, i), value = dy.v * slope;
      return {value, abs: Math.abs(dy.v) * (1 + Math.abs(slope)), n: 4, eq: typeof deq === "function" ? deq(n) : deq,
        line: L`${dy} · ${slope} = ${value}`, note: more.back ? more.back(n) : `x was ${text(n.X().v[i])} there, so the slope is ${text(slope)}.`};
    },
  };
}
const text = (v) => (Number.isFinite(v) ? String(+v.toPrecision(4)).replace("-", "\u2212") : String(v));
const moved = (does, eq, deq) => pointCell(does, eq, deq, {line: (n, x) => L`${x}`, back: () => "Nothing is computed: the gradient goes back to where the value came from."});

Object.assign(CELLS, {
  Identity: moved("hands on what it gets: the shortcut", "y = x", "dx = dy"),
  Flatten: moved("the same numbers in a row", "y = x\\text{, in a row}", "dx = dy\\text{, in its place again}"),
  Reshape: moved("the same numbers in another shape", "y = x\\text{, in another shape}", "dx = dy\\text{, in its shape again}"),
  ReLU: pointCell("lets through what is positive", "y = \\max(x, 0)", "dx = dy \\text{ where } x > 0\\text{, else } 0", {shown: "max", line: (n, x, v) => L`max(${x}, 0) = ${v}`}),
  LeakyReLU: pointCell("lets through what is positive, and a little of the rest", (n) => `y = x \\text{ where } x > 0\\text{, else } ${n.attrs.negative_slope} x`, (n) => `dx = dy \\text{ where } x > 0\\text{, else } ${n.attrs.negative_slope} dy`),
  ELU: pointCell("bends what is negative", (n) => `y = x \\text{ where } x > 0\\text{, else } ${n.attrs.alpha} (e^x - 1)`, (n) => `dx = dy \\text{ where } x > 0\\text{, else } ${n.attrs.alpha} e^x dy`, {abs: (n, x) => Math.abs(x) + Math.abs(n.attrs.alpha)}),
  Sigmoid: pointCell("bends every number into 0 .. 1", "y = \\frac{1}{1 + e^{-x}}", "dx = dy · y (1 - y)", {abs: (n, x) => logistic(x) * Math.abs(x)}),
  Tanh: pointCell("bends every number into \u22121 .. 1", "y = \\tanh x", "dx = dy · (1 - y^2)"),
  PReLU: pointCell("lets through what is positive, and of the rest a share that is learned", "y = x \\text{ where } x > 0\\text{, else } α_c x", "dx = dy \\text{ where } x > 0\\text{, else } α_c dy", {grads: {alpha: slopeSum}}),
  Dropout: pointCell("in training drops some numbers, and enlarges the others", "y = x · m", "dx = dy · m", {
    line: (n, x, v, i) => L`${x} · ${n.P.mask.v[i]} = ${v}`, back: () => "The same mask as forward.",
    say: (n) => (n.attrs.rate ? `The mask m is 0 for the share ${n.attrs.rate}, else 1/(1 \u2212 ${n.attrs.rate}).` : "In use nothing is dropped: the mask is 1."),
  }),
  Standardize: pointCell("brings the pixels to mean 0 and deviation 1", "y = \\frac{x - mean}{std}", "dx = \\frac{dy}{std}", {
    abs: (n, x) => (Math.abs(x) + Math.abs(n.attrs.mean)) / n.attrs.std, back: () => "Per unit of brightness: 1 is from black to white.",
    line: (n, x, v) => L`(${x} \u2212 ${n.attrs.mean}) / ${n.attrs.std} = ${v}`,
  }),
});

function slopeSum(n, c) { // dalpha: what met the slope
  const x = n.X(), dy = n.DY(), C = dims(x.s)[2], one = n.P.alpha.v.length === 1, rows = [];
  for (let i = one ? 0 : c; i < x.v.length; i += one ? 1 : C)
    if (!(x.v[i] > 0)) rows.push({label: at(x.s, i).join(", "), a: x.v[i], b: dy.v[i], goA: goX(i), goB: goDy(i), product: x.v[i] * dy.v[i]});
  const products = rows.map((r) => r.product);
  return {value: sum(products), abs: sumAbs(products), n: rows.length, rows, head: ["place", "x", "dy", "product"],
    eq: "dα_c = \\sum_{x \u2264 0} x · dy", note: shared(n).trim()};
}

const poolGroup = (n, i, j, c) => {
  const x = n.X(), goA = windowAt(n.attrs, x.s, i, j, c);
  return {rows: n.attrs.size[0], cols: n.attrs.size[1], a: goA.map((k) => x.v[k]), goA, to: goX, channel: c};
};
const poolBox = (n, i, j) => ({i: i * n.attrs.stride[0], j: j * n.attrs.stride[1], h: n.attrs.size[0], w: n.attrs.size[1], on: "A"});
const outBox = (found) => found.length && {i: found[0][0], j: found[0][1], on: "B",
  h: found[found.length - 1][0] - found[0][0] + 1, w: found[found.length - 1][1] - found[0][1] + 1};

CELLS.MaxPool2D = {
  does: "of each window, the largest number",
  y(n, k) {
    const [i, j, c] = at(n.s, k), g = poolGroup(n, i, j, c), win = winner(g.a);
    return {value: g.a[win], abs: 0, n: 0, groups: [{...g, win, label: "the window"}], box: poolBox(n, i, j),
      eq: "y = \\max \\text{ of the window}", note: "Of equal numbers the first wins."};
  },
  dx(n, k) {
    const [i, j, c] = at(n.X().s, k), found = windowsOver(n.attrs, n.s, i, j), parts = [];
    const groups = found.map(([a, b]) => {
      const g = poolGroup(n, a, b, c), win = winner(g.a), won = g.goA[win] === k, dy = ref.dy(n, flat(n.s, [a, b, c]));
      if (won) parts.push(dy);
      return {...g, win, self: g.goA.indexOf(k), label: `window of output (${a}, ${b}): ${won ? "x was its largest" : "another was the largest"}`, side: dy};
    });
    const value = sum(parts.map((p) => p.v));
    return {value, abs: sumAbs(parts.map((p) => p.v)), n: parts.length, groups, box: outBox(found), eq: "dx = dy \\text{ where } x \\text{ was the largest, else } 0",
      line: parts.length ? [...joined(parts, " + "), " = ", {v: value}] : ["no window has x as its largest: 0"],
      links: found.map(([a, b]) => ref.dy(n, flat(n.s, [a, b, c]))),
      note: found.length ? "Only the largest number had an effect: it gets the whole gradient." : "No window reaches this pixel, so its gradient is 0."};
  },
};

CELLS.AvgPool2D = {
  does: "of each window, the mean",
  y(n, k) {
    const [i, j, c] = at(n.s, k), g = poolGroup(n, i, j, c), total = sum(g.a), m = g.a.length;
    return {value: total / m, abs: sumAbs(g.a) / m, n: m, groups: [{...g, label: "the window"}], box: poolBox(n, i, j), eq: `y = \\frac{1}{${m}} \\sum x`, line: L`${total} / ${m} = ${total / m}`};
  },
  dx(n, k) {
    const [i, j, c] = at(n.X().s, k), found = windowsOver(n.attrs, n.s, i, j), m = size(n.attrs.size);
    const parts = found.map(([a, b]) => ref.dy(n, flat(n.s, [a, b, c]))), total = sum(parts.map((p) => p.v));
    return {value: total / m, abs: sumAbs(parts.map((p) => p.v)) / m, n: parts.length + 1, box: outBox(found), eq: `dx = \\frac{1}{${m}} \\sum dy`,
      line: parts.length ? ["(", ...joined(parts, " + "), `) / ${m} = `, {v: total / m}] : ["no window reaches this pixel: 0"]};
  },
};

CELLS.GlobalAvgPool = {
  does: "each map becomes its mean",
  y(n, c) {
    const x = n.X(), [H, W, C] = x.s, goA = Array.from({length: H * W}, (_, i) => i * C + c), a = goA.map((i) => x.v[i]), total = sum(a);
    return {value: total / (H * W), abs: sumAbs(a) / (H * W), n: H * W, eq: "y_c = \\frac{1}{HW} \\sum_{i,j} x_{i,j,c}", line: L`${total} / ${H * W} = ${total / (H * W)}`,
      groups: [{rows: H, cols: W, a, goA, to: goX, channel: c, label: `map ${c}`}], box: {i: 0, j: 0, h: H, w: W, on: "A"}};
  },
  dx(n, k) {
    const [H, W, C] = n.X().s, dy = ref.dy(n, k % C), value = dy.v / (H * W);
    return {value, abs: Math.abs(value), n: 2, eq: "dx_{i,j,c} = \\frac{dy_c}{HW}", line: L`${dy} / ${H * W} = ${value}`, note: "Every pixel of the map had the same share."};
  },
};

CELLS.Upsample2D = {
  does: "every pixel becomes a block of copies",
  y(n, k) {
    const x = ref.x(n, upsampledFrom(n, n.X().s, k)), [sh, sw] = n.attrs.size;
    return {value: x.v, abs: 0, n: 0, eq: `y_{i,j,c} = x_{\u230ai/${sh}\u230b,\u2009\u230aj/${sw}\u230b,\u2009c}`, line: L`${x}`};
  },
  dx(n, k) {
    const [i, j, c] = at(n.X().s, k), [sh, sw] = n.attrs.size, dy = n.DY(), goA = [];
    for (let p = 0; p < sh; p++) for (let q = 0; q < sw; q++) goA.push(flat(n.s, [i * sh + p, j * sw + q, c]));
    const a = goA.map((m) => dy.v[m]);
    return {value: sum(a), abs: sumAbs(a), n: a.length, groups: [{rows: sh, cols: sw, a, goA, to: goDy, channel: c, label: "the block of copies: dy", sum: sum(a)}],
      box: {i: i * sh, j: j * sw, h: sh, w: sw, on: "B"}, eq: "dx = \\sum dy \\text{ of the copies}", note: "Every copy had its effect, so their gradients add up."};
  },
};
