// Nudge one number, and take one step of gradient descent.

let H = 1e-4;

function nudgeCard(n) {
  const can = S.what === "grad" || n.kind === "Input";
  if (!can || n.own) return "";
  const options = [0.1, 0.01, 0.001, 1e-4, 1e-5]
    .map((h) => `<option value="${h}"${h === H ? " selected" : ""}>${num(h, 2)}</option>`)
    .join("");
  return `<div class="card"><h3>Nudge it</h3><p class="soft">Move this ${S.what === "grad" ? "weight" : "pixel"} by h both ways; the page runs the forward pass itself.</p>
    <label>h <select id="h">${options}</select></label> <button id="nudge">Nudge</button><div id="nudged" aria-live="polite"></div></div>`;
}

function wireNudge(n, i) {
  if (!$("nudge")) return;
  $("h").addEventListener("change", (ev) => {
    H = Number(ev.target.value);
  });
  $("nudge").addEventListener("click", () => {
    const where = n.kind === "Input" ? ["image", i] : [`${n.path}.${S.which}`, i];
    try {
      $("nudged").innerHTML = nudged(nudge(run(), where, H));
    } catch (error) {
      $("nudged").textContent = error.message;
    }
  });
}

function nudged(r) {
  if (r.numeric === null) return `<p>${esc(r.note)} Choose the run in use.</p>`;
  const finite = Number.isFinite(r.numeric) && Number.isFinite(r.backward);
  const largest = Math.max(Math.abs(r.numeric), Math.abs(r.backward));
  const apart = largest ? Math.abs(r.numeric - r.backward) / largest : 0;
  const says = !finite
    ? "Not both are finite: they cannot be compared."
    : r.kink
      ? "Within \u00b1h a ReLU or a max pool chose otherwise: the loss has a kink there, and the two may differ. Try a smaller h."
      : apart < 1e-3
        ? "They agree: backward is the derivative of forward."
        : "They differ by the curvature within \u00b1h, or by rounding. Try another h.";
  return `<p class="line">C(+h) = ${num(r.plus, 10)}<br>C(\u2212h) = ${num(r.minus, 10)}<br>(C(+h) \u2212 C(\u2212h)) / 2h = ${signed(r.numeric, 6)}<br>backward gave ${signed(r.backward, 6)}</p>
    <p class="check ${!finite ? "bad" : apart < 1e-3 ? "ok" : r.kink ? "" : "bad"}">${finite ? `apart ${num(apart, 2)} of the larger. ` : ""}${says}</p>`;
}

// ---- one step of SGD ----------------------------------------------------------------------------------

function openStep() {
  if (RUNS[S.run].run === "train") chooseRun(0);
  dialog(
    "One step of gradient descent",
    `<p>All weights move against their gradient on this image: w \u2212 lr \u00b7 dw. Then the page runs both passes again.</p>
    <p><label>lr <input id="lr" type="number" value="0.01" min="0" step="0.001"></label> <button id="take" autofocus>Take the step</button></p><div id="taken" aria-live="polite"></div>`,
  );
  $("take").addEventListener("click", async () => {
    const before = run();
    const lr = $("lr").valueAsNumber;
    if (!(lr >= 0)) {
      $("taken").textContent = "Give lr as a number, at least 0.";
      return;
    }
    const {params, changes} = sgd(before, lr);
    const was = before.lossValue;
    const shown = changes.map((c) => ({
      ...c,
      path: `${before.nodes[c.k].path}.${c.name}`,
      place: at(before.nodes[c.k].P[c.name].s, c.cell),
    }));
    $("taken").textContent = "computing \u2026";
    const says = "After a step of gradient descent, computed in this page.";
    const failed = await recompute(before.nodes[0].Y.v, params, says);
    if (failed) {
      $("taken").textContent = failed;
      return;
    }
    const now = run().lossValue;
    const digits = Math.max(6, digitsFor([was, now], now - was));
    $("taken").innerHTML =
      `<p class="line">loss before ${num(was, digits)}<br>loss after ${num(now, digits)} <b>(${signed(now - was)})</b></p><table class="rows"><tr><th>largest change of each array</th><th>was</th><th>moved by</th></tr>${shown
        .map(
          (c) =>
            `<tr><td><button class="link" data-to="${c.k},${esc(c.name)},${c.cell}">${esc(c.path)}[${c.place.join(", ")}]</button></td><td>${signed(c.from)}</td><td>${signed(c.change)}</td></tr>`,
        )
        .join("")}</table>`;
    for (const b of $("taken").querySelectorAll("[data-to]"))
      b.addEventListener("click", () => {
        const [k, name, i] = b.dataset.to.split(",");
        $("dialog").close();
        goTo(Number(k), "grad", name, Number(i));
      });
  });
}

function dialog(title, html) {
  $("dialog").innerHTML =
    `<form method="dialog"><button aria-label="Close" class="close">\u00d7</button></form><h2 id="dialog-title">${esc(title)}</h2>${html}`;
  if (!$("dialog").open) $("dialog").showModal();
}
