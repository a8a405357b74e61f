// The sum behind one number of every other layer. A line is text with numbers in it; those made by
// ref are links to the cell that made them.

const L = (text, ...values) =>
  text.flatMap((t, i) =>
    i < values.length ? [t, typeof values[i] === "object" ? values[i] : {v: values[i]}] : [t],
  );
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
    does,
    grads,
    y(n, i) {
      const [f] = ACT[n.kind] ?? ACT.Identity;
      const x = ref.x(n, i);
      const value = f(x.v, n, n.P, i);
      const abs = Math.abs(value) + (more.abs ? more.abs(n, x.v) : Math.abs(x.v));
      return {
        value,
        abs,
        n: 4,
        eq: typeof eq === "function" ? eq(n) : eq,
        line: more.line ? more.line(n, x, value, i) : L`${shown}(${x}) = ${value}`,
        note: say(n, i),
      };
    },
    dx(n, i) {
      const slope = (ACT[n.kind] ?? ACT.Identity)[1](n.X().v[i], n, n.P, i);
      const dy = ref.dy(n, i);
      const value = dy.v * slope;
      return {
        value,
        abs: Math.abs(dy.v) * (1 + Math.abs(slope)),
        n: 4,
        eq: typeof deq === "function" ? deq(n) : deq,
        line: L`${dy} · ${slope} = ${value}`,
        note: more.back ? more.back(n) : `x was ${text(n.X().v[i])} there, so the slope is ${text(slope)}.`,
      };
    },
  };
}
const text = (v) => (Number.isFinite(v) ? String(+v.toPrecision(4)).replace("-", "\u2212") : String(v));
const moved = (does, eq, deq) =>
  pointCell(does, eq, deq, {
    line: (n, x) => L`${x}`,
    back: () => "Nothing is computed: the gradient goes back to where the value came from.",
  });

Object.assign(CELLS, {
  Identity: moved("hands on what it gets: the shortcut", "y = x", "dx = dy"),
  Flatten: moved(
    "the same numbers in a row",
    "y = x\\text{, in a row}",
    "dx = dy\\text{, in its place again}",
  ),
  Reshape: moved(
    "the same numbers in another shape",
    "y = x\\text{, in another shape}",
    "dx = dy\\text{, in its shape again}",
  ),
  ReLU: pointCell(
    "lets through what is positive",
    "y = \\max(x, 0)",
    "dx = dy \\text{ where } x > 0\\text{, else } 0",
    {shown: "max", line: (n, x, v) => L`max(${x}, 0) = ${v}`},
  ),
  LeakyReLU: pointCell(
    "lets through what is positive, and a little of the rest",
    (n) => `y = x \\text{ where } x > 0\\text{, else } ${n.attrs.negative_slope} x`,
    (n) => `dx = dy \\text{ where } x > 0\\text{, else } ${n.attrs.negative_slope} dy`,
  ),
  ELU: pointCell(
    "bends what is negative",
    (n) => `y = x \\text{ where } x > 0\\text{, else } ${n.attrs.alpha} (e^x - 1)`,
    (n) => `dx = dy \\text{ where } x > 0\\text{, else } ${n.attrs.alpha} e^x dy`,
    {abs: (n, x) => Math.abs(x) + Math.abs(n.attrs.alpha)},
  ),
  Sigmoid: pointCell("bends every number into 0 .. 1", "y = \\frac{1}{1 + e^{-x}}", "dx = dy · y (1 - y)", {
    abs: (n, x) => logistic(x) * Math.abs(x),
  }),
  Tanh: pointCell("bends every number into \u22121 .. 1", "y = \\tanh x", "dx = dy · (1 - y^2)"),
  SiLU: pointCell(
    "lets a number through as far as a gate is open, which the number itself opens",
    "y = x · s, \\quad s = \\frac{1}{1 + e^{-x}}",
    "dx = dy · (s + x s (1 - s))",
    {line: (n, x, v) => L`${x} · ${logistic(x.v)} = ${v}`},
  ),
  GELU: pointCell(
    "lets a number through as far as a gate is open: the share of a normal distribution below it",
    "y = x · Φ(x)",
    "dx = dy · (Φ(x) + x φ(x))",
    {line: (n, x, v) => L`${x} · ${normal(x.v)} = ${v}`},
  ),
  HardSwish: pointCell(
    "lets a number through as far as a gate is open, which has three straight pieces",
    "y = x · \\frac{\\min(\\max(x + 3, 0), 6)}{6}",
    "dx = dy · (\\frac{x}{3} + \\frac{1}{2}) \\text{ between } -3 \\text{ and } 3\\text{, else } 0 \\text{ or } dy",
    {line: (n, x, v) => L`${x} · ${Math.min(Math.max(x.v + 3, 0), 6) / 6} = ${v}`},
  ),
  PReLU: pointCell(
    "lets through what is positive, and of the rest a share that is learned",
    "y = x \\text{ where } x > 0\\text{, else } α_c x",
    "dx = dy \\text{ where } x > 0\\text{, else } α_c dy",
    {grads: {alpha: slopeSum}},
  ),
  Dropout: pointCell("in training drops some numbers, and enlarges the others", "y = x · m", "dx = dy · m", {
    line: (n, x, v, i) => L`${x} · ${n.P.mask.v[i]} = ${v}`,
    back: () => "The same mask as forward.",
    say: (n) =>
      n.attrs.rate
        ? `The mask m is 0 for the share ${n.attrs.rate}, else 1/(1 \u2212 ${n.attrs.rate}).`
        : "In use nothing is dropped: the mask is 1.",
  }),
  Standardize: pointCell(
    "brings the pixels to mean 0 and deviation 1",
    "y = \\frac{x - mean}{std}",
    "dx = \\frac{dy}{std}",
    {
      abs: (n, x) => (Math.abs(x) + Math.abs(n.attrs.mean)) / n.attrs.std,
      back: () => "Per unit of brightness: 1 is from black to white.",
      line: (n, x, v) => L`(${x} \u2212 ${n.attrs.mean}) / ${n.attrs.std} = ${v}`,
    },
  ),
});

function slopeSum(n, c) {
  // dalpha: what met the slope
  const x = n.X();
  const dy = n.DY();
  const C = dims(x.s)[2];
  const one = n.P.alpha.v.length === 1;
  const rows = [];
  for (let i = one ? 0 : c; i < x.v.length; i += one ? 1 : C)
    if (!(x.v[i] > 0))
      rows.push({
        label: at(x.s, i).join(", "),
        a: x.v[i],
        b: dy.v[i],
        goA: goX(i),
        goB: goDy(i),
        product: x.v[i] * dy.v[i],
      });
  const products = rows.map((r) => r.product);
  return {
    value: sum(products),
    abs: sumAbs(products),
    n: rows.length,
    rows,
    head: ["place", "x", "dy", "product"],
    eq: "dα_c = \\sum_{x \u2264 0} x · dy",
    note: shared(n).trim(),
  };
}
