// Checks of the page by itself, and changes of one number or of all weights.

// Recomputes `cells` random numbers of each layer, direction and parameter, each by its own sum and
// by the pass over the whole array, and those where that pass is farthest from what is stored; and
// compares the checksums of arrays that rules made -> {checked, bad, worst, first}: worst is a share
// of what float32 allows.
function verify(runs, cells = 40, seed = 1) {
  const draw = random(seed);
  const found = {checked: 0, bad: 0, worst: 0, first: null};
  const note = (e, where) => {
    found.checked++;
    if (e.allowed > 0 && e.apart === e.apart) found.worst = Math.max(found.worst, e.apart / e.allowed);
    if (e.ok) return;
    found.bad++;
    found.first ??= {...where, value: e.value, stored: e.stored, allowed: e.allowed};
  };
  for (const run of runs)
    for (const n of run.nodes.filter((n) => !n.own)) {
      const whole = wholeOf(n);
      for (const [what, which, t] of n.parts()) {
        const pass = t.computed ? null : whole(what, which);
        const some = Array.from({length: cells}, () => Math.floor(draw() * t.v.length));
        for (const cell of [...some, ...(pass ? farthest(pass, t.v) : [])]) {
          const e = n.explain(what, which, cell);
          const where = {run: run.run, node: `${n.path} ${n.name}`, what, which, cell};
          note(e, where);
          if (pass)
            note(compare({...e, value: pass[cell], abs: e.abs + Math.abs(pass[cell])}), {
              ...where,
              pass: true,
            });
        }
      }
    }
  for (const store of new Set(runs.map((run) => run.store)))
    if (store?.wrong.length) {
      found.bad += store.wrong.length;
      found.first ??= {rule: store.wrong[0]};
    }
  return found;
}

function farthest(pass, stored, most = 4) {
  const apart = (i) => Math.abs(pass[i] - stored[i]) || 0;
  const best = [];
  for (let i = 0; i < stored.length; i++) {
    if (best.length === most && !(apart(i) > apart(best[most - 1]))) continue;
    best.push(i);
    best.sort((a, b) => apart(b) - apart(a));
    best.length = Math.min(best.length, most);
  }
  return best;
}

function wholeOf(n) {
  if (n.kind === "Input") return () => undefined;
  const y = PASSES[n.kind].run(n, n.xs, n.P);
  const {dxs, grads} = n.pulled();
  return (what, which) => (what === "y" ? y : what === "dx" ? dxs[which] : grads[which]);
}

// Moves one number by h, both ways -> {numeric: (C(v+h) - C(v-h)) / 2h, backward, plus, minus, kink}
function nudge(run, where, h) {
  const {n, name, cell, backward} = placeOf(run, where);
  if (run.run === "train")
    return {
      numeric: null,
      backward,
      note: "In training the number moves the other images of the batch too, which this page does not hold.",
    };
  const moved = (d) => {
    const t = name ? n.P[name] : n.Y;
    const v = Float64Array.from(t.v);
    v[cell] += d;
    return run.forward({k: n.k, ...(name ? {P: {...n.P, [name]: {v, s: t.s}}} : {y: v})});
  };
  const plus = moved(h);
  const minus = moved(-h);
  return {
    numeric: (plus.loss - minus.loss) / (2 * h),
    backward,
    plus: plus.loss,
    minus: minus.loss,
    kink: plus.kinks !== minus.kinks,
  };
}

// "image[14,14,0]", "4.w[1,0,2,5]" (path of the layer, parameter), or ["4.w", number in memory order]
function placeOf(run, where) {
  const [, title, inside] = Array.isArray(where)
    ? [null, ...where]
    : (/^(.*)\[([\d,\s]*)\]$/.exec(where) ?? []);
  const image = title === "image";
  const cut = String(title).lastIndexOf(".");
  const name = image ? null : title?.slice(cut + 1);
  const n = run.nodes.find((m) =>
    image ? m.kind === "Input" : m.path === title?.slice(0, Math.max(cut, 0)) && name in m.grads,
  );
  const t = n && (image ? n.Y : n.P[name]);
  if (!t)
    throw new Error(
      `nudge: ${where} is not "image[i,j,c]" or a parameter such as "4.w[0,1,2,3]"; numpycnn.places() has their names and shapes`,
    );
  const cell = typeof inside === "number" ? inside : flat(t.s, inside.split(",").map(Number));
  if (!(cell >= 0 && cell < t.v.length))
    throw new Error(`nudge: ${where} lies outside ${title}, whose shape is ${t.s}`);
  return {n, name, cell, backward: image ? n.dy[cell] : n.G(name).v[cell]};
}

const places = (run) =>
  Object.fromEntries(
    run.nodes.flatMap((n) =>
      n.kind === "Input"
        ? [["image", n.s]]
        : Object.keys(n.grads).map((name) => [`${n.path}.${name}`, n.P[name].s]),
    ),
  );

// One step of SGD on this image: w - lr dw for all -> the parameters of each node, and what changed most.
function sgd(run, lr, most = 8) {
  const params = run.nodes.map((n) => ({...n.P}));
  const changes = [];
  for (const n of run.nodes)
    for (const name of Object.keys(n.grads)) {
      const old = n.P[name];
      if (params[n.k][name] !== old) continue; // moved already, with another place of the same weight
      const places = n.shared?.[name] ?? [[n.k, name]];
      const parts = places.filter(([k, as]) => as in run.nodes[k].grads).map(([k, as]) => run.nodes[k].G(as).v);
      const g = parts[0].map((_, i) => sum(parts.map((part) => part[i])));
      for (const [k, as] of places) params[k][as] = {v: old.v.map((v, i) => v - lr * g[i]), s: old.s};
      let top = 0;
      g.forEach((d, i) => {
        if (Math.abs(d) > Math.abs(g[top])) top = i;
      });
      changes.push({k: n.k, name, cell: top, from: old.v[top], change: -lr * g[top]});
    }
  changes.sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
  return {params, changes: changes.slice(0, most)};
}
