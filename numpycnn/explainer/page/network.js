// The recorded network: nodes with their arrays, every number's sum beside the number that is stored,
// and the passes from any node on.

const UNIT = 2 ** -24; // half a unit of float32's last place
const LEAST = 2 ** -149; // float32's smallest number: what is below it is rounded coarsely
const allowed = (e) => (16 + 2 * Math.sqrt(e.n)) * (UNIT * e.abs + (e.n ? LEAST : 0));

class Node {
  constructor(run, k, raw) {
    Object.assign(this, raw, {run, k, users: []});
  }

  tensor(i) {
    return typeof i === "number" ? this.run.store.get(i) : i;
  }

  get Y() {
    return this.filled(this.tensor(this.y), () => PASSES[this.kind].run(this, this.xs, this.P));
  }

  get s() {
    return this.tensor(this.y).s;
  }

  get xs() {
    return this.inputs.map((i) => this.run.nodes[i].Y);
  }

  X(slot = 0) {
    return this.run.nodes[this.inputs[slot]].Y;
  }

  DX(slot = 0) {
    return this.filled(this.tensor(this.dxs[slot]), () => this.pulled().dxs[slot]);
  }

  DY(u = 0) {
    // the gradient that comes back from user u; of several users, Fork adds them up
    const user = this.users[u];
    return user ? this.run.nodes[user.k].DX(user.slot) : null;
  }

  get dy() {
    // of all users together
    if (this.users.length < 2) return this.DY()?.v;
    return this.DY().v.map((_, i) => sum(this.users.map((_, u) => this.DY(u).v[i])));
  }

  get P() {
    this.known ??= Object.fromEntries(Object.entries(this.params).map(([name, i]) => [name, this.tensor(i)]));
    return this.known;
  }

  G(name) {
    return this.filled(this.tensor(this.grads[name]), () => this.pulled().grads[name]);
  }

  filled(t, compute) {
    // an array that is not stored is computed when it is asked for
    if (!t.v) {
      t.v = Float32Array.from(compute());
      t.computed = true;
    }
    return t;
  }

  pulled() {
    return PASSES[this.kind].pull(this, this.kind === "Input" ? [this.Y] : this.xs, this.dy, this.P, this.Y);
  }

  get own() {
    return this.kind === "Own";
  }

  get isLoss() {
    return "loss" in PASSES[this.kind === "Own" ? "Input" : this.kind];
  }

  loss(x = this.xs, P = this.P) {
    return PASSES[this.kind].loss(this, x, P);
  }

  className(k) {
    // of the scores and what they become; otherwise the number
    const last = this.run.nodes[this.run.nodes.length - 1];
    const named = this === last || last.inputs.includes(this.k);
    return (named && last.kind === "SoftmaxCE" && this.run.classes[k]) || String(k);
  }

  // what can be explained of this node: [direction, name of the parameter or input slot, its array]
  parts() {
    const dx =
      this.kind === "Input" ? [["dx", 0, this.DY()]] : this.dxs.map((_, slot) => ["dx", slot, this.DX(slot)]);
    return [["y", 0, this.Y], ...dx, ...Object.keys(this.grads).map((name) => ["grad", name, this.G(name)])];
  }

  // The sum behind number `cell`: what CELLS says, and how far it is from what is stored.
  explain(what, which, cell) {
    const kind = CELLS[this.kind];
    const target = this.array(what, which);
    const sums =
      what === "y"
        ? kind.y(this, cell)
        : what === "dx"
          ? kind.dx(this, cell, which)
          : kind.grads[which]?.(this, cell);
    const e = {
      stored: target.v[cell],
      computed: target.computed,
      ...(sums ?? {value: target.v[cell], own: true}),
    };
    const sources = [
      ...this.inputs.map((_, slot) => this.X(slot)),
      ...(what === "y" ? [] : this.users.map((_, u) => this.DY(u))),
    ];
    const places = what === "grad" && this.shared?.[which]?.length;
    if (places)
      e.note = `${e.note ?? ""} This weight is used in ${places} places; here is the gradient of this one, and a nudge moves it here alone. A step adds up the gradients of all.`.trim();
    if (sources.some((t) => t.computed)) e.loose = 1e-3 * largest(target.v);
    compare(e);
    for (const check of e.checks ?? []) {
      compare(check);
      e.ok = e.ok && check.ok;
    }
    return e;
  }

  array(what, which) {
    return what === "y"
      ? this.Y
      : what === "grad"
        ? this.G(which)
        : this.kind === "Input"
          ? this.DY()
          : this.DX(which);
  }
}

function compare(e) {
  e.apart = Math.abs(e.value - e.stored);
  e.allowed = Math.max(allowed(e), e.loose ?? 0); // loose: the terms are not the library's own
  e.ok =
    e.own ||
    e.apart <= e.allowed ||
    Object.is(e.value, e.stored) ||
    (e.value !== e.value && e.stored !== e.stored);
  return e;
}

class Run {
  constructor(raw, store, classes) {
    Object.assign(this, {run: raw.run, batch: raw.batch, store, classes, live: raw.live});
    this.nodes = raw.nodes.map((node, k) => new Node(this, k, node));
    for (const n of this.nodes) n.inputs.forEach((i, slot) => this.nodes[i].users.push({k: n.k, slot}));
  }

  get last() {
    return this.nodes[this.nodes.length - 1];
  }

  // Forward, in float64. `changed` = {k, y} puts another y in node k's place, {k, P} other parameters;
  // what does not depend on it is taken as it is. -> {ys, loss, kinks}: kinks is what ReLUs and max
  // pools chose, as one number, so that two passes can be told apart.
  forward({k = -1, y = null, P = null, ys = this.nodes.map((n) => n.Y)} = {}, each = () => {}) {
    const touched = new Set(k < 0 ? [] : [k]);
    const now = [...ys];
    let loss = 0;
    let kinks = 0;
    for (const n of this.nodes) {
      each(n.k);
      const x = n.inputs.map((i) => now[i]);
      const mine = n.k === k;
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

  // What a Run is made of, with these parameters and without what the passes compute.
  bare(params) {
    const nodes = this.nodes.map((n) => ({
      kind: n.kind,
      name: n.name,
      path: n.path,
      frozen: n.frozen,
      shared: n.shared,
      inputs: n.inputs,
      attrs: n.attrs,
      params: params?.[n.k] ?? n.P,
      y: {s: n.s, v: null},
      dxs: [],
      grads: {},
    }));
    return {run: this.run, batch: this.batch, live: true, nodes};
  }

  // Both passes -> the same run with its own arrays, no longer those that the library computed.
  again(image, params, each = () => {}) {
    const L = this.nodes.length;
    const raw = this.bare(params);
    raw.nodes[0].y.v = image;
    const live = new Run(raw, null, this.classes);
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
      n.grads = Object.fromEntries(
        Object.entries(n.frozen ? {} : grads).map(([name, v]) => [
          name,
          {v: Float32Array.from(v), s: n.P[name].s},
        ]),
      );
    }
    return live;
  }

  get lossValue() {
    return sum(this.nodes.filter((n) => n.isLoss).map((n) => n.loss()));
  }
}

function chosen(n, [x]) {
  // what a kink depends on: which numbers are positive, which won
  let h = 0;
  const mix = (v) => {
    h = (h * 131 + v + 7) % 2147483647;
  };
  if (["ReLU", "LeakyReLU", "PReLU", "ELU"].includes(n.kind))
    for (let i = 0; i < x.v.length; i++) mix(x.v[i] > 0 ? 1 : 0);
  if (n.kind === "HardSwish") for (const v of x.v) mix(v <= -3 ? 0 : v < 3 ? 1 : 2);
  if (n.kind === "MaxPool2D")
    for (let k = 0; k < size(n.s); k++) mix(winner(windowAt(n.attrs, x.s, ...at(n.s, k)).map((i) => x.v[i])));
  return h;
}
