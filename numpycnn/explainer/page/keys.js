// The keyboard alone suffices.

const KEYS = [
  ["\u2190 \u2192 or p n", "a step back or on: forward through the layers, over the loss, and backward"],
  ["b", "the same layer in the other direction"],
  ["w", "backward: gradient of the input, of the weights, of the bias"],
  ["Enter", "follow the largest term: from a pixel's gradient to the loss, and back to the pixel"],
  ["m", "to the map; there the arrows choose a number, Page Up and Page Down a channel"],
  ["a", "all terms, or the largest"],
  ["u", "nudge"],
  ["d", "draw"],
  ["s", "one step of gradient descent"],
  ["r", "the other run"],
  ["t", "light or dark"],
  ["Home End", "the image, and its gradient"],
  ["?", "these keys"],
];

function nextGradient() {
  const n = node();
  if (!isBack()) return;
  const all = [
    ...n.dxs.map((_, slot) => ["dx", slot]),
    ...Object.keys(n.grads).map((name) => ["grad", name]),
  ];
  const now = all.findIndex(([what, which]) => what === S.what && which === S.which);
  const [what, which] = all[(now + 1) % all.length] ?? ["dx", 0];
  goTo(S.k, what, which);
}

const ACTIONS = {
  ArrowRight: () => goStep(stepOf(S.k, isBack()) + 1),
  ArrowLeft: () => goStep(stepOf(S.k, isBack()) - 1),
  n: () => ACTIONS.ArrowRight(),
  p: () => ACTIONS.ArrowLeft(),
  Home: () => goStep(0),
  End: () => goStep(2 * run().nodes.length - 1),
  b: () => goTo(S.k, isBack() ? "y" : "dx", 0),
  w: nextGradient,
  Enter: followLargest,
  m: () => document.querySelector("canvas.big:not(.still)")?.focus(),
  a: () => {
    S.all = !S.all;
    show();
  },
  u: () => $("nudge")?.click(),
  d: openDraw,
  s: openStep,
  r: () => chooseRun((S.run + 1) % RUNS.length),
  t: toggleTheme,
  "?": () =>
    dialog(
      "Keys",
      `<table class="rows wide keys">${KEYS.map(([k, t]) => `<tr><td><kbd>${k}</kbd></td><td>${t}</td></tr>`).join("")}</table>`,
    ),
};

function onKey(ev) {
  const tag = ev.target.tagName;
  if (
    ev.ctrlKey ||
    ev.metaKey ||
    ev.altKey ||
    ["INPUT", "SELECT", "TEXTAREA"].includes(tag) ||
    $("dialog").open
  )
    return;
  if (ev.key === "Enter" && ["BUTTON", "A"].includes(tag)) return;
  if (ev.key === " " && painting && tag === "CANVAS") {
    const image = Float32Array.from(node().Y.v);
    image[cell()] = brush;
    redraw(image);
    return ev.preventDefault();
  }
  const act = ACTIONS[ev.key];
  if (act) {
    ev.preventDefault();
    act();
  }
}

function toggleTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  $("theme").textContent = isDark() ? "Light" : "Dark";
  show();
}
