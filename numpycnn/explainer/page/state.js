// Which number is shown, and how to get to another one. The address holds it.

const INFO = JSON.parse($("info").textContent);
const S = {run: 0, live: null, k: 0, what: "y", which: 0, cells: {}, channel: {}, all: false};
let RUNS = []; // those recorded

const run = () => S.live ?? RUNS[S.run];
const node = () => run().nodes[S.k];
const isBack = () => S.what !== "y";
const stepOf = (k, back) => (back ? 2 * run().nodes.length - 1 - k : k);
const shownArray = () => node().array(S.what, S.which);
const cellKey = () => [S.k, S.what, S.which].join();

function cell() {
  // the number chosen last in this array, at first its largest
  const t = shownArray();
  const key = cellKey();
  if (!(S.cells[key] < t.v.length)) {
    let top = 0;
    t.v.forEach((v, i) => {
      if (Math.abs(v) > Math.abs(t.v[top])) top = i;
    });
    S.cells[key] = top;
  }
  return S.cells[key];
}

function pick(i) {
  S.cells[cellKey()] = i;
  S.channel = {};
  show();
}

// Go to a step: 0 .. L-1 forward, L .. 2L-1 backward.
function goStep(step) {
  const L = run().nodes.length;
  const to = Math.min(Math.max(step, 0), 2 * L - 1);
  const back = to >= L;
  goTo(back ? 2 * L - 1 - to : to, back ? "dx" : "y", 0);
}

function goTo(k, what, which, i) {
  if (k !== S.k || what !== S.what) S.all = false;
  Object.assign(S, {k, what, which, channel: {}});
  if (i !== undefined) S.cells[cellKey()] = i;
  show();
}

// Follow a factor of the sum to where it was made.
function follow(go) {
  const n = node();
  if (go.to === "x") goTo(n.inputs[go.slot], "y", 0, go.cell);
  else if (go.to === "y") goTo(S.k, "y", 0, go.cell);
  else if (go.to === "grad") goTo(S.k, "grad", go.name, go.cell);
  else {
    const user = n.users[go.user];
    goTo(user.k, "dx", user.slot, go.cell);
  }
}

// Enter: follow the largest term; at the image go from its pixel to the pixel's gradient.
function followLargest() {
  const n = node();
  if (n.kind === "Input" && S.what === "y") return goTo(0, "dx", 0, cell());
  const terms = termsOf(n.explain(S.what, S.which, cell())).filter(({go}) => go.to !== "grad");
  const onward = terms.filter(({go}) => !isBack() || go.to === "dy" || go.to === "y");
  const best = bySize(onward.length ? onward : terms, (t) => t.weight)[0];
  if (best) follow(best.go);
}

function termsOf(e) {
  // {v, go, weight}: what can be followed, and how much it matters
  const found = [];
  for (const g of e.groups ?? [])
    g.a.forEach((a, k) => {
      if (g.goA[k] >= 0)
        found.push({
          v: a,
          go: g.to(g.goA[k]),
          weight: g.win >= 0 ? Number(k === g.win) : Math.abs(a * (g.b ? g.b[k] : 1)),
        });
    });
  for (const r of e.rows ?? [])
    for (const [v, go] of [
      [r.a, r.goA],
      [r.b, r.goB],
    ])
      if (go) found.push({v, go, weight: Math.abs(r.product)});
  for (const p of [...(e.line ?? []), ...(e.addends ?? []), ...(e.links ?? [])])
    if (p.go) found.push({v: p.v, go: p.go, weight: Math.abs(p.v)});
  return found;
}

function writeAddress() {
  if (location.protocol === "about:") return; // a frame of a notebook has no address of its own
  const t = shownArray();
  const more = S.what === "grad" ? `&of=${S.which}` : S.which ? `&branch=${S.which}` : "";
  const address = `#run=${RUNS[S.run].run}&step=${stepOf(S.k, isBack())}&cell=${at(t.s, cell()).join(",")}${more}`;
  if (location.hash !== address) history.replaceState(null, "", address);
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.has("step")) return;
  S.run = Math.max(
    0,
    RUNS.findIndex((r) => r.run === given.get("run")),
  );
  const L = run().nodes.length;
  const step = Math.min(Math.max(Math.trunc(Number(given.get("step"))) || 0, 0), 2 * L - 1);
  const back = step >= L;
  Object.assign(S, {k: back ? 2 * L - 1 - step : step, what: back ? "dx" : "y", which: 0});
  const of = given.get("of");
  const branch = Number(given.get("branch"));
  if (back && of in node().grads) Object.assign(S, {what: "grad", which: of});
  else if (back && branch > 0 && branch < node().dxs.length) S.which = branch;
  const s = shownArray().s;
  const place = (given.get("cell") ?? "none").split(",").map(Number);
  if (place.length === s.length && place.every((p, a) => p >= 0 && p < s[a] && Number.isInteger(p)))
    S.cells[cellKey()] = flat(s, place);
}
