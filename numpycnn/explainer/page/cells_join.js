// The image, what joins and splits, and the sampled layer.

CELLS.Input = {
  does: "the numbers that go in; on the way back, how the loss changes with each of them",
  y: (n, i) => ({
    value: n.Y.v[i],
    abs: 0,
    n: 0,
    given: true,
    links: [{...ref.dy(n, i), label: "how the loss changes with it: dL/dx ="}],
  }),
  dx: (n, i) => ({
    value: n.DY().v[i],
    abs: 0,
    n: 0,
    eq: "dx = dy \\text{ of the first layer}",
    line: L`${ref.dy(n, i)}`,
  }),
};

CELLS.Fork = {
  does: "from here the value goes several ways; on the way back the gradients add up",
  y: (n, i) => ({
    value: n.X().v[i],
    abs: 0,
    n: 0,
    eq: "\\text{each branch gets } x",
    line: L`${ref.x(n, i)}`,
  }),
  dx(n, i) {
    const parts = n.users.map((_, u) => ref.dy(n, i, u));
    const values = parts.map((p) => p.v);
    const value = sum(values);
    return {
      value,
      abs: sumAbs(values),
      n: parts.length,
      eq: "dx = \\sum \\text{ of what the branches give back}",
      line: [...joined(parts, " + "), " = ", {v: value}],
      addends: parts.map((p, u) => ({label: `back from branch ${u}`, ...p})),
      note: "x had an effect on every branch: their gradients add up.",
    };
  },
};

CELLS.Add = {
  does: "the branches are added up",
  y(n, i) {
    const parts = n.inputs.map((_, s) => ref.x(n, i, s));
    const values = parts.map((p) => p.v);
    const value = sum(values);
    return {
      value,
      abs: sumAbs(values),
      n: parts.length,
      eq: "y = f(x) + g(x) + \u2026",
      line: [...joined(parts, " + "), " = ", {v: value}],
      addends: parts.map((p, s) => ({label: `branch ${s}`, ...p})),
    };
  },
  dx: (n, i) => ({
    value: n.DY().v[i],
    abs: 0,
    n: 0,
    eq: "dx = dy \\text{ for every branch}",
    line: L`${ref.dy(n, i)}`,
    note: "A sum hands its gradient to each addend unchanged: this is why a shortcut carries it far.",
  }),
};

CELLS.ChannelScale = {
  does: "every channel of the image times its gate, between 0 and 1",
  y(n, i) {
    const x = ref.x(n, i);
    const s = ref.x(n, i % n.X(1).v.length, 1);
    const value = x.v * s.v;
    return {value, abs: Math.abs(value), n: 1, eq: "y_{i,j,c} = x_{i,j,c} · s_c", line: L`${x} · ${s} = ${value}`};
  },
  dx(n, i, slot) {
    const C = n.X(1).v.length;
    if (slot === 0) {
      const dy = ref.dy(n, i);
      const s = ref.x(n, i % C, 1);
      const value = dy.v * s.v;
      return {
        value,
        abs: Math.abs(value),
        n: 1,
        eq: "dx_{i,j,c} = dy_{i,j,c} · s_c",
        line: L`${dy} · ${s} = ${value}`,
        note: "The other way back to x leads through the gate.",
      };
    }
    const x = n.X();
    const dy = n.DY();
    const rows = [];
    for (let k = i; k < x.v.length; k += C) {
      const [a, b] = [dy.v[k], x.v[k]];
      const label = at(x.s, k).slice(0, -1).join(", ");
      rows.push({label, a, b, goA: goDy(k), goB: goX(k), product: a * b});
    }
    const products = rows.map((r) => r.product);
    return {
      value: sum(products),
      abs: sumAbs(products),
      n: rows.length,
      rows,
      head: ["place", "dy", "x", "product"],
      eq: "ds_c = \\sum_{i,j} dy_{i,j,c} · x_{i,j,c}",
      note: "One gate scales all pixels of its channel, so its gradient is a sum over all of them.",
    };
  },
};

CELLS.Concat = {
  does: "the branches' channels side by side",
  y(n, k) {
    const xs = n.inputs.map((_, s) => n.X(s));
    const C = n.s[n.s.length - 1];
    let c = k % C;
    let slot = 0;
    while (c >= xs[slot].s[xs[slot].s.length - 1]) c -= xs[slot++].s[xs[slot - 1].s.length - 1];
    const x = ref.x(n, Math.floor(k / C) * xs[slot].s[xs[slot].s.length - 1] + c, slot);
    return {
      value: x.v,
      abs: 0,
      n: 0,
      eq: "y = f(x), g(x), \u2026 \\text{ side by side}",
      line: [`branch ${slot}: `, x],
    };
  },
  dx(n, i, slot) {
    const dy = ref.dy(
      n,
      concatPlace(
        n.inputs.map((_, s) => n.X(s)),
        slot,
        i,
      ),
    );
    return {value: dy.v, abs: 0, n: 0, eq: "dx = \\text{ the branch's channels of } dy", line: L`${dy}`};
  },
};

CELLS.Pick = {
  does: "the class, which stands beside the image's channels",
  y: (n, i) => {
    const x = ref.x(n, n.attrs.from + i);
    return {value: x.v, abs: 0, n: 0, eq: "y_k = x_{0,0,C+k}", line: L`${x}`};
  },
  dx(n, i) {
    const k = i - n.attrs.from;
    const inside = k >= 0 && k < size(n.s);
    const dy = inside ? ref.dy(n, k) : {v: 0};
    return {value: dy.v, abs: 0, n: 0, eq: "dx_{0,0,C+k} = dy_k\\text{, else } 0", line: [dy]};
  },
};

CELLS.Sampling = {
  does: "a random draw around the mean, so made that gradients pass through; in use the mean itself",
  y(n, d) {
    const D = n.P.e.v.length;
    const m = ref.x(n, d);
    const v = ref.x(n, d + D);
    const e = n.P.e.v[d];
    const value = m.v + Math.exp(v.v / 2) * e;
    return {
      value,
      abs: Math.abs(m.v) + Math.abs(value - m.v) * (1 + Math.abs(v.v)),
      n: 4,
      eq: "z = m + e^{v/2} · ε",
      line: L`${m} + exp(${v} / 2) · ${e} = ${value}`,
      note: n.attrs.train ? "ε is drawn once, and does not depend on m or v." : "In use ε is 0.",
    };
  },
  dx(n, i) {
    const D = n.P.e.v.length;
    const dz = ref.dy(n, i % D);
    if (i < D) return {value: dz.v, abs: Math.abs(dz.v), n: 1, eq: "dm = dz", line: L`${dz}`};
    const v = ref.x(n, i);
    const e = n.P.e.v[i - D];
    const value = (dz.v * Math.exp(v.v / 2) * e) / 2;
    return {
      value,
      abs: Math.abs(value) * (1 + Math.abs(v.v)),
      n: 4,
      eq: "dv = dz · \\frac{1}{2} e^{v/2} · ε",
      line: L`${dz} · exp(${v} / 2) / 2 · ${e} = ${value}`,
    };
  },
};
