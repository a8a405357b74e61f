// The recorded network: nodes with their arrays, every number's sum beside the number that is stored,
// and the passes from any node on.

const UNIT = 2 ** -24; // half a unit of float32's last place
const allowed = (e) => (16 + 2 * Math.sqrt(e.n)) * UNIT * e.abs;

class Node {
  constructor(run, k, raw) { Object.assign(this, raw, {run, k, users: []}); }

  tensor(i) { return typeof i === "number" ? this.run.store.get(i) : i; }

  get Y() { return this.filled(this.tensor(this.y), () => PASSES[this.kind].run(this, this.xs, this.P)); }

  get s() { return this.tensor(this.y).s; }

  get xs() { return this.inputs.map((i) => this.run.nodes[i].Y); }

  X(slot = 0) { return this.run.nodes[this.inputs[slot]].Y; }

  DX(slot = 0) { return this.filled(this.tensor(this.dxs[slot]), () => this.pulled().dxs[slot]); }

  DY(u = 0) { // the gradient that comes back from user u; of several users, Fork adds them up
    const user = this.users[u];
    return user ? this.run.nodes[user.k].DX(user.slot) : null;
  }

  get dy() { // of all users together
    if (this.users.length < 2) return this.DY()?.v;
    return this.DY().v.map((_, i) => sum(this.users.map((_, u) => this.DY(u).v[i])));
  }

  get P() {
    this.known ??= Object.fromEntries(Object.entries(this.params).map(([name, i]) => [name, this.tensor(i)]));
    return this.known;
  }

  G(name) { return this.filled(this.tensor(this.grads[name]), () => this.pulled().grads[name]); }

  filled(t, compute) { // an array that is not stored is computed when it is asked for
    if (!t.v) { t.v = Float32Array.from(compute()); t.computed = true; }
    return t;
  }

  pulled() { return PASSES[this.kind].pull(this, this.kind === "Input" ? [this.Y] : this.xs, this.dy, this.P, this.Y); }

  get own() { return this.kind === "Own"; }

  get isLoss() { return "loss" in PASSES[this.kind === "Own" ? "Input" : this.kind]; }

  loss(x = this.xs, P = this.P) { return PASSES[this.kind].loss(this, x, P); }

  className(k) { // of the scores and what they become; otherwise the number
    const last = this.run.nodes[this.run.nodes.length - 1];
    const named = this === last || last.inputs.includes(this.k);
    return (named && last.kind === "SoftmaxCE" && this.run.classes[k]) || String(k);
  }

  // what can be explained of this node: [direction, name of the parameter or input slot, its array]
  parts() {
    const dx = this.kind === "Input" ? [["dx", 0, this.DY()]] : this.dxs.map((_, slot) => ["dx", slot, this.DX(slot)]);
    return [["y", 0, this.Y], ...dx, ...Object.keys(this.grads).map((name) => ["grad", name, this.G(name)])];
  }

  // The sum behind number `cell`: what CELLS says, and how far it is from what is stored.
  explain(what, which, cell) {
    const kind = CELLS[this.kind], target = this.array(what, which);
    const sums = what === "y" ? kind.y(this, cell) : what === "dx" ? kind.dx(this, cell, which) : kind.grads[which]?.(this, cell);
    const e = {stored: target.v[cell], computed: target.computed, ...(sums ?? {value: target.v[cell], own: true})};
    const sources = [...this.inputs.map((_, slot) => this.X(slot)), ...(what === "y" ? [] : this.users.map((_, u) => this.DY(u)))];
    if (sources.some((t) => t.computed)) e.loose = 1e-3 * largest(target.v);
    compare(e);
    for (const check of e.checks ?? []) { compare(check); e.ok = e.ok && check.ok; }
    return e;
  }

  array(what, which) {
    return what === "y" ? this.Y : what === "grad" ? this.G(which) : this.kind === "Input" ? this.DY() : this.DX(which);
  }
}

function compare(e) {
  e.apart = Math.abs(e.value - e.stored);
  e.allowed = Math.max(allowed(e), e.loose ?? 0); // loose: the terms are not the library's own
  e.ok = e.own || e.apart <= e.allowed || Object.is(e.value, e.stored) || (e.value !== e.value && e.stored !== e.stored);
}

class Run {
  constructor(raw, store, classes) {
    Object.assign(this, {run: raw.run, batch: raw.batch, store, classes, live: raw.live});
    this.nodes = raw.nodes.map((node, k) => new Node(this, k, node));
    for (const n of this.nodes) n.inputs.forEach((i, slot) => this.nodes[i].users.push({k: n.k, slot}));
  }

  get last() { return this.nodes[this.nodes.length - 1]; }

  // Forward, in float64. `changed` = {k, y} puts another y in node k's place, {k, P} other parameters;
  // what does not depend on it is taken as it is. -> {ys, loss, kinks}: kinks is what ReLUs and max
  // pools chose, as one number, so that two passes can be told apart.
  forward({k = -1, y = null, P = null, ys = this.nodes.map((n) => n.Y)} = {}, each = () => {}) {
    const touched = new Set(k < 0 ? [] : [k]), now = [...ys];
    let loss = 0, kinks = 0;
    for (const n of this.nodes) {
      each(n.k);
      const x = n.inputs.map((i) => now[i]), mine = n.k === k;
      if (mine && y) now[n.k] = {v: y, s: n.s};
      else if (mine || n.inputs.some((i) => touched.has(i)) || k < 0) {
        if (n.own) throw new Error(`${n.path} ${n.name} is a layer of your own, which this page cannot run`);
        touched.add(n.k);
        if (n.kind !== "Input") now[n.k] = {v: PASSES[n.kind].run(n, x, (mine && P) || n.P), s: n.s};
        kinks = (kinks * 31 + chosen(n, x)) % 2147483647;
      }
      if (n.isLoss) loss += n.loss(x);
    }
    return {ys: now, loss, kinks};
  }

  // Both passes -> the same run with its own arrays, no longer those that the library computed.
  again(image, params, each = () => {}) {
    const L = this.nodes.length, raw = this.nodes.map((n) => ({kind: n.kind, name: n.name, path: n.path, inputs: n.inputs, attrs: n.attrs, params: params?.[n.k] ?? n.P, y: {s: n.s, v: null}, dxs: [], grads: {}}));
    raw[0].y.v = image;
    const live = new Run({run: this.run, batch: this.batch, live: true, nodes: raw}, null, this.classes);
    for (const n of live.nodes) {
      each(n.k / L / 2);
      if (n.own) throw new Error(`${n.path} ${n.name} is a layer of your own, which this page cannot run`);
      if (n.k) n.y.v = Float32Array.from(PASSES[n.kind].run(n, n.xs, n.P));
      if (n.isLoss) n.attrs = {...n.attrs, loss: n.loss()};
    }
    for (const n of [...live.nodes].reverse()) {
      each(1 - n.k / L / 2);
      const {dxs, grads} = n.k ? n.pulled() : {dxs: [], grads: {}};
      n.dxs = dxs.map((v, slot) => ({v: Float32Array.from(v), s: n.X(slot).s}));
      n.grads = Object.fromEntries(Object.entries(grads).map(([name, v]) => [name, {v: Float32Array.from(v), s: n.P[name].s}]));
    }
    return live;
  }

  get lossValue() { return sum(this.nodes.filter((n) => n.isLoss).map((n) => n.loss())); }
}

function chosen(n, [x]) { // what a kink depends on: which numbers are positive, which won
  let h = 0;
  const mix = (v) => { h = (h * 131 + v + 7) % 2147483647; };
  if (["ReLU", "LeakyReLU", "PReLU", "ELU"].includes(n.kind)) for (let i = 0; i < x.v.length; i++) mix(x.v[i] > 0 ? 1 : 0);
  if (n.kind === "MaxPool2D") for (let k = 0; k < size(n.s); k++) mix(winner(windowAt(n.attrs, x.s, ...at(n.s, k)).map((i) => x.v[i])));
  return h;
}

// ---- checks, from outside too: see the end of start.js -----------------------------------------------

// Recomputes `cells` random numbers of each layer, direction and parameter, each by its own sum and
// by the pass over the whole array -> {checked, bad, worst (share of what float32 allows), first}.
function verify(runs, cells = 40, seed = 1) {
  const draw = random(seed), found = {checked: 0, bad: 0, worst: 0, first: null};
  const note = (e, where) => {
    found.checked++;
    if (e.allowed > 0 && e.apart === e.apart) found.worst = Math.max(found.worst, e.apart / e.allowed);
    if (!e.ok) { found.bad++; found.first ??= {...where, value: e.value, stored: e.stored, allowed: e.allowed}; }
  };
  for (const run of runs)
    for (const n of run.nodes) {
      if (n.own) continue;
      const whole = wholeOf(n);
      for (const [what, which, t] of n.parts())
        for (let i = 0; i < cells; i++) {
          const cell = Math.floor(draw() * t.v.length), e = n.explain(what, which, cell), where = {run: run.run, node: `${n.path} ${n.name}`, what, which, cell};
          note(e, where);
          const value = whole(what, which)?.[cell];
          if (value === undefined || e.computed) continue;
          const pass = {value, stored: e.stored, loose: e.loose, abs: e.abs + Math.abs(value), n: e.n};
          compare(pass);
          note(pass, {...where, pass: true});
        }
    }
  return found;
}

function wholeOf(n) { // the arrays of a node's passes over its stored input, computed once
  if (n.kind === "Input") return () => undefined;
  const y = PASSES[n.kind].run(n, n.xs, n.P), {dxs, grads} = n.pulled();
  return (what, which) => (what === "y" ? y : what === "dx" ? dxs[which] : grads[which]);
}

// Moves one number by h, both ways -> {numeric: (C(v+h) - C(v-h)) / 2h, backward, plus, minus, kink}
function nudge(run, where, h) {
  const {n, name, cell, backward} = placeOf(run, where);
  if (run.run === "train") return {numeric: null, backward, note: "In training the number moves the other images of the batch too, which this page does not hold."};
  const moved = (d) => {
    const t = name ? n.P[name] : n.Y, v = Float64Array.from(t.v);
    v[cell] += d;
    return run.forward({k: n.k, ...(name ? {P: {...n.P, [name]: {v, s: t.s}}} : {y: v})});
  };
  const plus = moved(h), minus = moved(-h);
  return {numeric: (plus.loss - minus.loss) / (2 * h), backward, plus: plus.loss, minus: minus.loss, kink: plus.kinks !== minus.kinks};
}

// "image[14,14,0]", "4.w[1,0,2,5]" (path of the layer, parameter), or ["4.w", number in memory order]
function placeOf(run, where) {
  const [, title, inside] = Array.isArray(where) ? [null, ...where] : /^(.*)\[([\d,\s]*)\]$/.exec(where) ?? [];
  const image = title === "image", cut = String(title).lastIndexOf("."), name = image ? null : title?.slice(cut + 1);
  const n = run.nodes.find((m) => (image ? m.kind === "Input" : m.path === title?.slice(0, Math.max(cut, 0)) && name in m.grads));
  const t = n && (image ? n.Y : n.P[name]);
  if (!t) throw new Error(`nudge: ${where} is not "image[i,j,c]" or a parameter such as "4.w[0,1,2,3]"; numpycnn.places() has their names and shapes`);
  const cell = typeof inside === "number" ? inside : flat(t.s, inside.split(",").map(Number));
  if (!(cell >= 0 && cell < t.v.length)) throw new Error(`nudge: ${where} lies outside ${title}, whose shape is ${t.s}`);
  return {n, name, cell, backward: image ? n.dy[cell] : n.G(name).v[cell]};
}

const places = (run) => Object.fromEntries(run.nodes.flatMap((n) => (n.kind === "Input" ? [["image", n.s]] : Object.keys(n.grads).map((name) => [`${n.path}.${name}`, n.P[name].s]))));

// One step of SGD on this image: w - lr dw for all -> the parameters of each node, and what changed most.
function sgd(run, lr, most = 8) {
  const params = run.nodes.map((n) => ({...n.P})), changes = [];
  for (const n of run.nodes)
    for (const name of Object.keys(n.grads)) {
      const g = n.G(name).v, old = n.P[name];
      params[n.k][name] = {v: old.v.map((v, i) => v - lr * g[i]), s: old.s};
      let top = 0;
      g.forEach((d, i) => { if (Math.abs(d) > Math.abs(g[top])) top = i; });
      changes.push({k: n.k, name, cell: top, from: old.v[top], change: -lr * g[top]});
    }
  changes.sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
  return {params, changes: changes.slice(0, most)};
}
