// Puts the page together.

function show() {
  const n = node();
  const back = isBack();
  const e = n.explain(S.what, S.which, cell());
  document.body.classList.toggle("back", back);
  drawFacts();
  drawTime();
  drawLadder();
  $("name").textContent = `${back ? "Backward" : "Forward"}: ${n.name}${n.path ? ` (${n.path})` : ""}`;
  $("does").textContent = CELLS[n.kind].does;
  drawChoice(n, back);
  if (S.what === "grad") gradientPanels(n, e);
  else passPanels(n, e, back);
  $("arrow").textContent = back ? "\u2190" : "\u2192";
  $("arrow").hidden = n.kind === "Input" || $("A").hidden || $("B").hidden;
  drawTools();
  drawSum(n, e);
  writeAddress();
}

function drawChoice(n, back) {
  // of which array the gradient is
  const choices = !back
    ? []
    : [
        ...n.dxs.map((_, slot) => ["dx", slot, n.dxs.length > 1 ? `branch ${slot}` : "input, dL/dx"]),
        ...Object.keys(n.grads).map((name) => ["grad", name, `dL/d${greek(name)}`]),
      ];
  $("choose").hidden = choices.length < 2;
  $("choose").replaceChildren(
    ...choices.map(([what, which, says]) => {
      const b = element("button", {textContent: says, onclick: () => goTo(S.k, what, which)});
      b.setAttribute("aria-pressed", what === S.what && which === S.which);
      return b;
    }),
  );
}

const label = (n) => (n ? (r) => n.className(r) : undefined);

function passPanels(n, e, back) {
  const i = cell();
  const t = shownArray();
  const mine = {
    title: back ? "dL/dx" : n.kind === "Input" ? "x" : "y, out",
    cell: i,
    channel: layout(t).find(i)[2],
    grey: greyOf(n, S.what),
    pick,
    label: label(n),
    setChannel: (c) => {
      const g = layout(t);
      const [r, q] = g.find(i);
      pick(g.index(r, q, c));
    },
    paint: n.kind === "Input" && !back ? paintOn : null,
  };
  if (n.kind === "Input") {
    drawPanel("A", t, mine);
    return drawPanel("B", null);
  }
  const from = sourceOf(e);
  const other = back ? (n.isLoss ? n.Y : n.users.length ? n.DY(from.user ?? 0) : null) : n.X(from.slot ?? 0);
  const source = back ? null : run().nodes[n.inputs[from.slot ?? 0]];
  const key = `${S.k}${S.what}`;
  const about = {
    title: back ? (n.isLoss ? "what came out" : "dL/dy") : "x, in",
    cell: from.cell,
    box: e.box || null,
    grey: greyOf(source, "y"),
    label: label(back ? n : source),
    channel: other && Math.min(S.channel[key] ?? from.channel ?? 0, layout(other).maps - 1),
    setChannel: (c) => {
      S.channel[key] = c;
      show();
    },
  };
  drawPanel(back ? "A" : "B", t, mine);
  drawPanel(back ? "B" : "A", other, about);
}

// Where the sum's terms stand in the other map: one cell, or the channel of the largest group.
function sourceOf(e) {
  const one = (e.line ?? []).filter((p) => p.go && p.go.to !== "grad");
  const top = e.groups?.length ? bySize(e.groups, (g) => g.sum ?? 0)[0] : null;
  if (top) return {channel: top.channel};
  if (!one.length) return {channel: 0};
  const {slot, user, cell: c} = one[0].go;
  const t = one[0].go.to === "x" ? node().X(slot) : one[0].go.to === "dy" ? node().DY(user) : node().Y;
  return {slot, user, cell: c, channel: layout(t).find(c)[2]};
}

// Left x, right dL/dy; their channels choose the weight, in a dense layer their cells.
function gradientPanels(n, e) {
  const t = shownArray();
  const place = at(t.s, cell());
  const dense = n.kind === "Dense" && t.s.length === 2;
  const on = e.on ?? {};
  const swapped = n.kind === "ConvTranspose2D";
  const move = (axis) => (c) => {
    const to = [...place];
    to[axis] = c % t.s[axis]; // of a mirror layer's pair, the same weight
    pick(flat(t.s, to));
  };
  const moveX = (axis) => {
    // with groups, a channel of x has its place in the group, and its group's filters
    const groups = n.attrs.groups ?? 1;
    if (t.s.length < 4 || groups < 2) return move(axis);
    const [, , C, F] = t.s;
    const each = F / groups;
    return (c) => pick(flat(t.s, [place[0], place[1], c % C, Math.floor(c / C) * each + (place[3] % each)]));
  };
  const axes = t.s.length === 4 ? (swapped ? [3, 2] : [2, 3]) : [t.s.length - 1, t.s.length - 1];
  const source = run().nodes[n.inputs[0]];
  const channel = (array, c) => Math.min(c ?? 0, layout(array).maps - 1);
  const one = (title, array, axis, side, at0, from) =>
    drawPanel(side, array, {
      title,
      channel: channel(array, on[side]),
      box: e.span && side === "A" ? e.span : null,
      cell: dense ? place[at0] : t.s.length === 1 && layout(array).flat ? place[0] : null,
      pick: dense ? move(at0) : layout(array).flat && t.s.length === 1 ? move(0) : null,
      setChannel: (side === "A" ? moveX : move)(axis),
      grey: greyOf(from, "y"),
      label: label(side === "B" ? n : from),
    });
  one("x, what came in", n.X(), axes[0], "A", 0, source);
  one("dL/dy", n.DY(), axes[1], "B", 1, null);
}

function chooseRun(i) {
  S.live = null;
  banner(null);
  S.run = i;
  $("run").value = i;
  show();
}

function header() {
  $("title").textContent = INFO.title;
  RUNS.forEach((r, i) =>
    $("run").append(
      element("option", {
        value: i,
        textContent: r.run === "use" ? "in use" : `in training, a batch of ${r.batch}`,
      }),
    ),
  );
  $("run").hidden = RUNS.length < 2;
  $("draw").hidden = RUNS[0].nodes[0].s.length !== 3;
  document.querySelector("footer").hidden = !INFO.left.length;
  $("left").textContent =
    `To keep this file small, ${INFO.left.length} arrays are not stored: the page computes them when you ask for them.`;
  $("which").textContent = INFO.left.join(", ");
}

function drawFacts() {
  const last = run().last;
  const a = last.Y.v;
  const loss = num(run().lossValue);
  let says = `Loss ${loss}`;
  if (last.kind === "SoftmaxCE") {
    const top = winner(a);
    const label = last.className(last.attrs.label);
    says = a.every(Number.isFinite)
      ? `The network says ${last.className(top)} (${a[top] > 0.9995 ? ">99.9" : (100 * a[top]).toFixed(1)} %)`
      : "The scores are not finite, so the network says no class";
    says += last.attrs.assumed
      ? `. No label was given: the loss, ${loss}, is that of the predicted class; --label N, in Python label=N, sets it`
      : `; the label is ${label}, the loss ${loss}`;
  }
  $("facts").textContent = `${says}. Click any number.`;
}

function start(block) {
  const store = new Store(INFO.tensors, block);
  RUNS = INFO.runs.map((r) => new Run(r, store, INFO.classes));
  header();
  readAddress();
  $("run").value = S.run;
  const clicks = {
    prev: ACTIONS.ArrowLeft,
    next: ACTIONS.ArrowRight,
    theme: toggleTheme,
    keys: ACTIONS["?"],
    draw: openDraw,
    step: openStep,
  };
  for (const [id, act] of Object.entries(clicks)) $(id).addEventListener("click", act);
  $("run").addEventListener("change", (ev) => chooseRun(Number(ev.target.value)));
  document.addEventListener("keydown", onKey);
  document.addEventListener("dragover", (ev) => ev.preventDefault());
  document.addEventListener("drop", (ev) => {
    ev.preventDefault();
    if (RUNS[S.run].run === "train") chooseRun(0);
    dropped(ev.dataTransfer.files[0]);
  });
  window.addEventListener("hashchange", () => {
    readAddress();
    show();
  });
  show();
}

if (matchMedia("(prefers-color-scheme: dark)").matches) {
  document.documentElement.dataset.theme = "dark";
  $("theme").textContent = "Light";
}

// For checks from outside. nudge's `where`: "image[i,j,c]", "4.w[0,1,2,3]" (a layer's path, a parameter),
// or [that name, number in memory order]; places() has all names and shapes.
window.numpycnn = {
  verify: (cells, seed) => verify(RUNS, cells, seed),
  nudge: (where, h = 1e-4) => nudge(S.live ?? RUNS.find((r) => r.run === "use"), where, h),
  places: () => places(RUNS[0]),
  shown: () => ({
    run: RUNS[S.run].run,
    step: stepOf(S.k, isBack()),
    what: S.what,
    which: S.which,
    cell: cell(),
    value: shownArray().v[cell()],
    weight: S.what === "grad" ? node().P[S.which].v[cell()] : null,
    loss: run().lossValue,
    live: Boolean(S.live),
  }),
  links: () => LINKS.map(({v, go}) => ({v, ...go})),
};
window.numpycnn.ready = unpack($("data").textContent)
  .then(start)
  .catch((error) => {
    $("facts").textContent = `This page could not be shown: ${error.message}`;
    throw error;
  });
