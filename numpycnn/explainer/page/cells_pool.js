// Pools, and upsampling.

const poolGroup = (n, i, j, c) => {
  const x = n.X();
  const goA = windowAt(n.attrs, x.s, i, j, c);
  return {rows: n.attrs.size[0], cols: n.attrs.size[1], a: goA.map((k) => x.v[k]), goA, to: goX, channel: c};
};
const poolBox = (n, i, j) => ({
  i: i * n.attrs.stride[0],
  j: j * n.attrs.stride[1],
  h: n.attrs.size[0],
  w: n.attrs.size[1],
  on: "A",
});
const outBox = (found) =>
  found.length && {
    i: found[0][0],
    j: found[0][1],
    on: "B",
    h: found[found.length - 1][0] - found[0][0] + 1,
    w: found[found.length - 1][1] - found[0][1] + 1,
  };

CELLS.MaxPool2D = {
  does: "of each window, the largest number",
  y(n, k) {
    const [i, j, c] = at(n.s, k);
    const g = poolGroup(n, i, j, c);
    const win = winner(g.a);
    return {
      value: g.a[win],
      abs: 0,
      n: 0,
      groups: [{...g, win, label: "the window"}],
      box: poolBox(n, i, j),
      eq: "y = \\max \\text{ of the window}",
      note: "Of equal numbers the first wins.",
    };
  },
  dx(n, k) {
    const [i, j, c] = at(n.X().s, k);
    const found = windowsOver(n.attrs, n.s, i, j);
    const parts = [];
    const groups = found.map(([a, b]) => {
      const g = poolGroup(n, a, b, c);
      const win = winner(g.a);
      const won = g.goA[win] === k;
      const dy = ref.dy(n, flat(n.s, [a, b, c]));
      if (won) parts.push(dy);
      return {
        ...g,
        win,
        self: g.goA.indexOf(k),
        label: `window of output (${a}, ${b}): ${won ? "x was its largest" : "another was the largest"}`,
        side: dy,
      };
    });
    const value = sum(parts.map((p) => p.v));
    return {
      value,
      abs: sumAbs(parts.map((p) => p.v)),
      n: parts.length,
      groups,
      box: outBox(found),
      eq: "dx = dy \\text{ where } x \\text{ was the largest, else } 0",
      line: parts.length
        ? [...joined(parts, " + "), " = ", {v: value}]
        : ["no window has x as its largest: 0"],
      links: found.map(([a, b]) => ref.dy(n, flat(n.s, [a, b, c]))),
      note: found.length
        ? "Only the largest number had an effect: it gets the whole gradient."
        : "No window reaches this pixel, so its gradient is 0.",
    };
  },
};

CELLS.AvgPool2D = {
  does: "of each window, the mean",
  y(n, k) {
    const [i, j, c] = at(n.s, k);
    const g = poolGroup(n, i, j, c);
    const total = sum(g.a);
    const m = g.a.length;
    return {
      value: total / m,
      abs: sumAbs(g.a) / m,
      n: m,
      groups: [{...g, label: "the window"}],
      box: poolBox(n, i, j),
      eq: `y = \\frac{1}{${m}} \\sum x`,
      line: L`${total} / ${m} = ${total / m}`,
    };
  },
  dx(n, k) {
    const [i, j, c] = at(n.X().s, k);
    const found = windowsOver(n.attrs, n.s, i, j);
    const m = size(n.attrs.size);
    const parts = found.map(([a, b]) => ref.dy(n, flat(n.s, [a, b, c])));
    const total = sum(parts.map((p) => p.v));
    return {
      value: total / m,
      abs: sumAbs(parts.map((p) => p.v)) / m,
      n: parts.length + 1,
      box: outBox(found),
      eq: `dx = \\frac{1}{${m}} \\sum dy`,
      line: parts.length
        ? ["(", ...joined(parts, " + "), `) / ${m} = `, {v: total / m}]
        : ["no window reaches this pixel: 0"],
    };
  },
};

CELLS.GlobalAvgPool = {
  does: "each map becomes its mean",
  y(n, c) {
    const x = n.X();
    const [H, W, C] = x.s;
    const goA = Array.from({length: H * W}, (_, i) => i * C + c);
    const a = goA.map((i) => x.v[i]);
    const total = sum(a);
    return {
      value: total / (H * W),
      abs: sumAbs(a) / (H * W),
      n: H * W,
      eq: "y_c = \\frac{1}{HW} \\sum_{i,j} x_{i,j,c}",
      line: L`${total} / ${H * W} = ${total / (H * W)}`,
      groups: [{rows: H, cols: W, a, goA, to: goX, channel: c, label: `map ${c}`}],
      box: {i: 0, j: 0, h: H, w: W, on: "A"},
    };
  },
  dx(n, k) {
    const [H, W, C] = n.X().s;
    const dy = ref.dy(n, k % C);
    const value = dy.v / (H * W);
    return {
      value,
      abs: Math.abs(value),
      n: 2,
      eq: "dx_{i,j,c} = \\frac{dy_c}{HW}",
      line: L`${dy} / ${H * W} = ${value}`,
      note: "Every pixel of the map had the same share.",
    };
  },
};

CELLS.Upsample2D = {
  does: "every pixel becomes a block of copies",
  y(n, k) {
    const x = ref.x(n, upsampledFrom(n, n.X().s, k));
    const [sh, sw] = n.attrs.size;
    return {
      value: x.v,
      abs: 0,
      n: 0,
      eq: `y_{i,j,c} = x_{\u230ai/${sh}\u230b,\u2009\u230aj/${sw}\u230b,\u2009c}`,
      line: L`${x}`,
    };
  },
  dx(n, k) {
    const [i, j, c] = at(n.X().s, k);
    const [sh, sw] = n.attrs.size;
    const dy = n.DY();
    const goA = [];
    for (let p = 0; p < sh; p++)
      for (let q = 0; q < sw; q++) goA.push(flat(n.s, [i * sh + p, j * sw + q, c]));
    const a = goA.map((m) => dy.v[m]);
    return {
      value: sum(a),
      abs: sumAbs(a),
      n: a.length,
      groups: [
        {rows: sh, cols: sw, a, goA, to: goDy, channel: c, label: "the block of copies: dy", sum: sum(a)},
      ],
      box: {i: i * sh, j: j * sw, h: sh, w: sw, on: "B"},
      eq: "dx = \\sum dy \\text{ of the copies}",
      note: "Every copy had its effect, so their gradients add up.",
    };
  },
};
