// Another image, or other weights: both passes again, in a worker, and all maps follow.

const WORKER = `${$("maths").textContent}
onmessage = ({data: {id, raw, image}}) => {
  let last = performance.now();
  const progress = (share) => { if (performance.now() > last + 60) { last = performance.now(); postMessage({id, share}); } };
  try {
    const live = new Run(raw, null, []).again(image, null, progress);
    postMessage({id, nodes: live.nodes.map(({y, dxs, grads, attrs}) => ({y, dxs, grads, attrs}))});
  } catch (error) { postMessage({id, error: error.message}); }
};`;
let worker = null;
let jobs = 0;
let painting = false;
let brush = 1;

function ask(message, progress) {
  // -> what the worker answers
  worker ??= new Worker(URL.createObjectURL(new Blob([WORKER], {type: "text/javascript"})));
  const id = ++jobs;
  return new Promise((resolve, reject) => {
    const hear = ({data}) => {
      if (data.id !== id) return;
      if (data.share !== undefined) return progress(data.share);
      worker.removeEventListener("message", hear);
      data.error ? reject(new Error(data.error)) : resolve(data.nodes);
    };
    worker.addEventListener("message", hear);
    worker.addEventListener("error", (ev) => reject(new Error(ev.message || "the worker failed")), {
      once: true,
    });
    worker.postMessage({id, ...message});
  });
}

// -> why it could not be done, or null
async function recompute(image, params, says) {
  const base = run();
  const raw = base.bare(params);
  try {
    const nodes = await ask({raw, image}, (share) =>
      banner(`computing \u2026 ${Math.round(100 * share)} %`, false),
    );
    const live = new Run(
      {...raw, nodes: raw.nodes.map((n, k) => ({...n, ...nodes[k]}))},
      null,
      base.classes,
    );
    live.id = jobs;
    S.live = live;
    banner(says, true);
    show();
    return null;
  } catch (error) {
    banner(error.message, Boolean(S.live));
    return error.message;
  }
}

function banner(says, back) {
  const box = $("banner");
  box.hidden = !says;
  box.textContent = says ?? "";
  if (back)
    box.append(
      " ",
      element("button", {
        textContent: "Back to what was recorded",
        onclick: () => {
          S.live = null;
          banner(null);
          show();
        },
      }),
    );
}

// ---- drawing --------------------------------------------------------------------------------------------

function openDraw() {
  if ($("draw").hidden) return; // no image
  painting = !painting;
  if (RUNS[S.run].run === "train") chooseRun(0);
  $("draw").setAttribute("aria-pressed", painting);
  painting ? goTo(0, "y", 0) : show();
}

function drawTools() {
  const box = $("paint");
  box.hidden = !(painting && S.k === 0 && S.what === "y");
  if (box.hidden || box.children.length) return;
  box.innerHTML = `<p>Paint with the pointer, or with <kbd>Space</kbd> on the chosen pixel. Everything is computed again in this page.</p>
    <p><label>brush <input id="brush" type="range" min="0" max="1" step="0.05" value="1"></label> <button id="eraser" aria-pressed="false">Erase</button> <button id="clear">Clear</button>
    <label class="file">or a picture <input id="picture" type="file" accept="image/*"></label></p>`;
  $("brush").addEventListener("input", (ev) => {
    brush = Number(ev.target.value);
    $("eraser").setAttribute("aria-pressed", brush === 0);
  });
  $("eraser").addEventListener("click", () => {
    brush = brush ? 0 : 1;
    $("brush").value = brush;
    $("eraser").setAttribute("aria-pressed", brush === 0);
  });
  $("clear").addEventListener("click", () => {
    const image = Float32Array.from(node().Y.v);
    redraw(image.map((v, i) => (painted().includes(at(node().s, i)[2]) ? 0 : v)));
  });
  $("picture").addEventListener("change", (ev) => dropped(ev.target.files[0]));
}

let waiting = null;
let busy = false;
async function redraw(image) {
  // the newest image; those that come while one is computed are one
  waiting = image;
  if (busy) return;
  busy = true;
  while (waiting) {
    const next = waiting;
    waiting = null;
    if (await recompute(next, null, "Your image, computed in this page.")) break;
  }
  busy = false;
}

// Which channels a brush meets: a class may stand beside the image, in channels of its own.
const painted = () => (node().s[2] === 3 ? [0, 1, 2] : [at(node().s, cell())[2]]);

// Handles a pointer on the image's map -> whether it painted.
function paintOn(ev, canvas, under) {
  if (!painting) return false;
  const image = Float32Array.from(node().Y.v);
  const s = node().s;
  const dab = (i) => {
    if (i < 0) return;
    const [r, q] = at(s, i);
    for (const [a, b, share] of [
      [0, 0, 1],
      [0, 1, 0.6],
      [1, 0, 0.6],
      [0, -1, 0.6],
      [-1, 0, 0.6],
    ])
      if (r + a >= 0 && r + a < s[0] && q + b >= 0 && q + b < s[1])
        for (const c of painted()) {
          const m = flat(s, [r + a, q + b, c]);
          image[m] += (brush - image[m]) * share;
        }
    redraw(Float32Array.from(image));
  };
  dab(under(ev));
  const move = (e) => dab(underNow(e));
  const underNow = (e) => {
    const box = $("A").querySelector("canvas").getBoundingClientRect();
    const r = Math.floor(((e.clientY - box.top) / box.height) * s[0]);
    const q = Math.floor(((e.clientX - box.left) / box.width) * s[1]);
    return r >= 0 && q >= 0 && r < s[0] && q < s[1] ? flat(s, [r, q, 0]) : -1;
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", () => window.removeEventListener("pointermove", move), {once: true});
  ev.preventDefault();
  return true;
}

async function dropped(file) {
  if (!file) return;
  try {
    const s = RUNS[S.run].nodes[0].s;
    const image = Float32Array.from(run().nodes[0].Y.v);
    const values = await readPicture(file, s);
    const step = s[2] === 3 ? 1 : s[2]; // a class may stand beside a grey image
    values.forEach((v, i) => {
      image[i * step] = v;
    });
    redraw(image);
  } catch (error) {
    banner(`This file could not be read as a picture: ${error.message}`, Boolean(S.live));
  }
}
