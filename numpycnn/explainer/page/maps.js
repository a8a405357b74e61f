// Arrays as pictures. Colour is diverging, zero is always neutral, strength is the root of |value|.

const COLOURS = {
  light: {zero: [247, 247, 247], pos: [5, 72, 130], neg: [160, 66, 0], mark: "#000", far: "#fff"},
  dark: {zero: [32, 38, 45], pos: [135, 203, 255], neg: [255, 178, 100], mark: "#fff", far: "#000"},
};
const isDark = () => document.documentElement.dataset.theme === "dark";
const palette = () => COLOURS[isDark() ? "dark" : "light"];

function scaleOf(t) {
  // the largest magnitude
  t.scale ??= largest(t.v);
  return t.scale;
}

function colour(v, scale, grey, p = palette()) {
  if (v !== v) return [255, 0, 200]; // NaN stands out
  if (grey) {
    const g = Math.round((255 * Math.min(Math.max(v, 0), grey)) / grey);
    return [g, g, g];
  }
  const share = scale ? Math.sqrt(Math.min(Math.abs(v) / scale, 1)) : 0;
  const to = v < 0 ? p.neg : p.pos;
  return p.zero.map((z, i) => Math.round(z + (to[i] - z) * share));
}

function onto(rgb) {
  // black or white, whichever has the higher contrast
  const [r, g, b] = rgb.map((v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

// How an array is laid out: {rows, cols, maps, index(r, q, c) -> number or -1, find(number) -> [r, q, c]}
function layout(t) {
  if (t.s.length === 3) {
    const [H, W, C] = t.s;
    return {rows: H, cols: W, maps: C, index: (r, q, c) => (r * W + q) * C + c, find: (i) => at(t.s, i)};
  }
  const n = t.v.length;
  const w = n <= 16 ? 1 : Math.ceil(Math.sqrt(n));
  const h = Math.ceil(n / w);
  return {
    rows: h,
    cols: w,
    maps: 1,
    flat: true,
    labelled: w === 1,
    find: (i) => [Math.floor(i / w), i % w, 0],
    index: (r, q) => (r * w + q < n ? r * w + q : -1),
  };
}

function mapCanvas(t, c, grey) {
  // one pixel a number
  const g = layout(t);
  const p = palette();
  const image = new ImageData(g.cols, g.rows);
  const canvas = element("canvas", {width: g.cols, height: g.rows});
  for (let r = 0; r < g.rows; r++)
    for (let q = 0; q < g.cols; q++) {
      const i = g.index(r, q, c);
      image.data.set([...(i < 0 ? p.zero : colour(t.v[i], scaleOf(t), grey, p)), 255], 4 * (r * g.cols + q));
    }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// A large map with its scale and its channels. about: {title, channel, cell, box, grey, label, pick, setChannel}
function drawPanel(id, t, about) {
  const figure = $(id);
  const focused = figure.contains(document.activeElement) && document.activeElement.tagName === "CANVAS";
  figure.replaceChildren();
  figure.hidden = !t;
  if (!t) return;
  const g = layout(t);
  const c = about.channel ?? 0;
  const chan = g.maps > 1 ? `, channel ${c}` : "";
  figure.append(
    element("figcaption", {
      innerHTML: `<b>${about.title}</b> ${shapeText(t.s)}${chan}${t.computed ? " <i>computed here</i>" : ""}`,
    }),
  );
  const canvas = bigMap(t, g, c, about);
  figure.append(canvas);
  if (about.pick) pickable(canvas, t, g, c, about);
  if (focused && about.pick) canvas.focus();
  figure.append(scaleBar(t, about.grey));
  if (g.maps > 1) figure.append(channelThumbs(t, g, c, about));
}

function bigMap(t, g, c, about) {
  const p = palette();
  const unit = g.labelled ? 26 : Math.max(2, Math.min(64, Math.floor(336 / Math.max(g.rows, g.cols))));
  const width = g.labelled ? 260 : unit * g.cols;
  const height = unit * g.rows;
  const canvas = element("canvas", {
    className: about.pick ? "big" : "big still",
    width: 2 * width,
    height: 2 * height,
  });
  canvas.style.width = `${width}px`;
  canvas.style.aspectRatio = `${width} / ${height}`;
  const x = canvas.getContext("2d");
  x.scale(2, 2);
  x.imageSmoothingEnabled = false;
  x.font = "12px ui-monospace, Menlo, 'DejaVu Sans Mono', monospace";
  x.textBaseline = "middle";
  if (g.labelled) bars(x, t, g, unit, width, about, p);
  else {
    x.drawImage(mapCanvas(t, c, about.grey), 0, 0, width, height);
    if (unit >= 42) values(x, t, g, c, unit, about.grey, p);
  }
  const frame = (i, j, h, w, thick) => {
    for (const [color, more] of [
      [p.far, 2],
      [p.mark, 0],
    ]) {
      x.lineWidth = thick + more;
      x.strokeStyle = color;
      x.strokeRect(j * unit, i * unit, g.labelled ? width : w * unit, h * unit);
    }
  };
  if (about.box && !g.flat) frame(about.box.i, about.box.j, about.box.h, about.box.w, 1.6);
  if (about.cell != null) {
    const [i, j, m] = g.find(about.cell);
    if (g.flat || m === c) frame(i, j, 1, 1, 2.2);
  }
  return canvas;
}

function bars(x, t, g, unit, width, about, p) {
  // a short vector: name, bar, number
  for (let r = 0; r < g.rows; r++) {
    const v = t.v[r];
    const share = scaleOf(t) ? Math.min(Math.abs(v) / scaleOf(t), 1) : 0;
    const [red, green, blue] = v < 0 ? p.neg : p.pos;
    x.fillStyle = `rgb(${p.zero})`;
    x.fillRect(0, r * unit, width, unit - 1);
    x.fillStyle = `rgba(${red},${green},${blue},.4)`;
    x.fillRect(0, r * unit, width * share, unit - 1);
    x.fillStyle = p.mark;
    x.textAlign = "left";
    x.fillText((about.label?.(r) ?? String(r)).slice(0, 18), 6, (r + 0.5) * unit);
    x.textAlign = "right";
    x.fillText(num(v, 3), width - 6, (r + 0.5) * unit);
  }
}

function values(x, t, g, c, unit, grey, p) {
  // few numbers: written into the map
  x.textAlign = "center";
  x.font = "11px ui-monospace, Menlo, 'DejaVu Sans Mono', monospace";
  for (let r = 0; r < g.rows; r++)
    for (let q = 0; q < g.cols; q++) {
      const i = g.index(r, q, c);
      if (i < 0) continue;
      x.fillStyle = onto(colour(t.v[i], scaleOf(t), grey, p));
      x.fillText(num(t.v[i], 2), (q + 0.5) * unit, (r + 0.5) * unit);
    }
}

function pickable(canvas, t, g, c, about) {
  canvas.tabIndex = 0;
  if (painting && about.paint) canvas.style.touchAction = "none"; // a finger paints, and scrolls nothing
  canvas.setAttribute("role", "application");
  canvas.setAttribute(
    "aria-label",
    `${about.title}: arrow keys move to another number, Page Up and Page Down to another channel, Enter follows the largest term`,
  );
  const under = (ev) => {
    const b = canvas.getBoundingClientRect();
    return g.index(
      Math.floor(((ev.clientY - b.top) / b.height) * g.rows),
      Math.floor(((ev.clientX - b.left) / b.width) * g.cols),
      c,
    );
  };
  canvas.addEventListener("pointerdown", (ev) => {
    canvas.focus();
    if (about.paint?.(ev, canvas, under)) return;
    const i = under(ev);
    if (i >= 0) about.pick(i);
  });
  canvas.addEventListener("keydown", (ev) => {
    const [i, j, m] = g.find(about.cell ?? 0);
    const move = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[ev.key];
    const turn = {PageDown: 1, PageUp: g.maps - 1}[ev.key];
    if (!move && !turn) return;
    ev.preventDefault();
    ev.stopPropagation();
    const to = move ? [i + move[0], j + move[1], m] : [i, j, (m + turn) % g.maps];
    if (to[0] >= 0 && to[1] >= 0 && to[0] < g.rows && to[1] < g.cols && g.index(...to) >= 0)
      about.pick(g.index(...to));
  });
}

function scaleBar(t, grey) {
  const stops = [-1, -0.6, -0.3, -0.1, 0, 0.1, 0.3, 0.6, 1].map(
    (v) => `rgb(${colour(v, 1, 0)}) ${50 + 50 * v}%`,
  );
  const bar = element("i");
  bar.style.background = grey ? "linear-gradient(90deg, #000, #fff)" : `linear-gradient(90deg, ${stops})`;
  const ends = grey ? ["0", num(grey)] : [num(-scaleOf(t), 3), num(scaleOf(t), 3)];
  return element("div", {className: "scale soft"}, ends[0], bar, ends[1]);
}

function channelThumbs(t, g, chosen, about) {
  const box = element("div", {className: "thumbs"});
  for (let c = 0; c < g.maps; c++) {
    const b = element("button", {title: `channel ${c}`, tabIndex: -1}, mapCanvas(t, c, about.grey));
    b.setAttribute("aria-label", `channel ${c}`);
    b.setAttribute("aria-pressed", c === chosen);
    b.addEventListener("click", () => about.setChannel(c));
    box.append(b);
  }
  return box;
}
