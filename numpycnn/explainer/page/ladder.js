// The timeline on top, and the ladder of layers with their thumbnails.

function drawTime() {
  const L = run().nodes.length;
  const now = stepOf(S.k, isBack());
  const bar = $("bar");
  if (bar.children.length !== 2 * L) {
    bar.replaceChildren(...Array.from({length: 2 * L}, (_, i) => element("i", {onclick: () => goStep(i)})));
    bar.classList.toggle("many", L > 40);
  }
  [...bar.children].forEach((mark, i) => {
    const n = run().nodes[i < L ? i : 2 * L - 1 - i];
    mark.className = `${i >= L ? "back" : ""} ${i < now ? "done" : ""} ${i === now ? "here" : ""} ${n.isLoss ? "loss" : ""}`;
    mark.title = `${i < L ? "forward" : "backward"}: ${n.path} ${n.name}`;
  });
  const said = `${isBack() ? "backward" : "forward"}, step ${now + 1} of ${2 * L}`;
  for (const [name, value] of [
    ["now", now + 1],
    ["min", 1],
    ["max", 2 * L],
    ["text", `${said}: ${node().name}`],
  ])
    bar.setAttribute(`aria-value${name}`, value);
  $("where").textContent = said;
}

let drawn = ""; // what the ladder shows
function drawLadder() {
  const box = $("ladder");
  const key = [S.run, isBack(), isDark(), run().id].join();
  if (key !== drawn) {
    box.replaceChildren(...run().nodes.map(rung));
    drawn = key;
  }
  [...box.children].forEach((b, k) => {
    b.setAttribute("aria-current", k === S.k ? "step" : "false");
    b.tabIndex = k === S.k ? 0 : -1;
  });
  const here = box.children[S.k];
  const top = here.offsetTop - box.offsetTop;
  const left = here.offsetLeft - box.offsetLeft;
  if (top < box.scrollTop || top + here.offsetHeight > box.scrollTop + box.clientHeight)
    box.scrollTop = top - box.clientHeight / 2;
  if (left < box.scrollLeft || left + here.offsetWidth > box.scrollLeft + box.clientWidth)
    box.scrollLeft = left - box.clientWidth / 2;
}

function rung(n) {
  const t = isBack() ? n.array("dx", 0) : n.Y;
  const depth = Math.min(3, (n.path.match(/branches/g) ?? []).length);
  const b = element("button", {className: `rung deep${depth}`});
  const path = n.path.replace(/^.*branches\./, "branch ");
  b.append(
    element("b", {textContent: `${path} ${n.name}`.trim()}),
    element("span", {className: "soft", textContent: shapeText(t.s)}),
    strip(t, n),
  );
  b.addEventListener("click", () => goTo(n.k, isBack() ? "dx" : "y", 0));
  return b;
}

function strip(t, n) {
  // some channels side by side
  const g = layout(t);
  const grey = greyOf(n, isBack() ? "dx" : "y");
  const many = Math.min(g.maps, 7);
  const strip = element("canvas");
  strip.setAttribute("aria-hidden", "true");
  if (g.flat) {
    const one = {v: t.v.subarray(0, 96), s: [Math.min(t.v.length, 96)], scale: scaleOf(t)};
    strip.width = one.v.length;
    strip.height = 1;
    strip.className = "flat";
    one.v.forEach((v, i) => {
      const x = strip.getContext("2d");
      x.fillStyle = `rgb(${colour(v, one.scale, 0)})`;
      x.fillRect(i, 0, 1, 1);
    });
    return strip;
  }
  strip.width = many * (g.cols + 1);
  strip.height = g.rows;
  for (let c = 0; c < many; c++) strip.getContext("2d").drawImage(mapCanvas(t, c, grey), c * (g.cols + 1), 0);
  return strip;
}

const greyOf = (n, what) =>
  what === "y" && n?.kind === "Input" && n.s.length === 3 && scaleOf(n.Y) <= 1 ? 1 : 0;
