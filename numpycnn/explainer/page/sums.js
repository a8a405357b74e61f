// The right side: the number, its equation, the live numbers, and how far it is from the library's.

const FEW = {groups: 5, rows: 12};

function drawSum(n, e) {
  LINKS.length = 0;
  const box = $("sum");
  const t = shownArray();
  const i = cell();
  const place = `[${at(t.s, i).join(", ")}]`;
  const letter = n.kind === "Input" ? "x" : "y";
  const what =
    S.what === "y" ? `${letter}${place}` : S.what === "grad" ? `dL/d${greek(S.which)}${place}` : `dL/dx${place}`;
  const weight =
    S.what === "grad"
      ? `<p class="soft">${greek(S.which)}${place} itself is ${signed(n.P[S.which].v[i], 6)}</p>`
      : "";
  const html = [`<p class="what">${what} =</p><p class="value">${signed(e.stored, 6)}</p>${weight}`];
  if (e.own) html.push(ownLayer(n));
  else if (e.given) html.push("<p>One number of the image: no sum made it.</p>", follows(e), nudgeCard(n));
  else {
    html.push(
      mathml(e.eq),
      e.groups?.[0]?.b ? groupLine(e) : e.line ? `<p class="line">${line(e.line)}</p>` : "",
      verdict(e),
    );
    if (e.note) html.push(`<p class="note">${esc(e.note)}</p>`);
    html.push(
      tile(n),
      nudgeCard(n),
      addends(e),
      groups(e),
      rows(e),
      (e.checks ?? []).map(check).join(""),
      follows(e),
    );
  }
  box.innerHTML = html.join("");
  for (const b of box.querySelectorAll("[data-i]"))
    b.addEventListener("click", () => follow(LINKS[b.dataset.i].go));
  for (const b of box.querySelectorAll("[data-all]"))
    b.addEventListener("click", () => {
      S.all = !S.all;
      show();
    });
  wireNudge(n, i);
  $("live").textContent =
    `${what} = ${num(e.stored)}${e.own ? "" : e.ok ? "; the sum agrees" : "; the sum differs"}`;
}

const greek = (name) => ({gamma: "\u03b3", beta: "\u03b2", alpha: "\u03b1"})[name] ?? name;

function verdict(e) {
  const bound = `apart ${num(e.apart, 2)}, ${e.loose ? "as its terms are computed here allowed is" : "float32 allows"} ${num(e.allowed, 2)}`;
  const other = run().live
    ? "this page's pass has"
    : e.computed
      ? "this page's pass has (not stored)"
      : "the library has";
  return `<p class="check ${e.ok ? "ok" : "bad"}">summed here ${num(e.value, 8)}, ${other} ${num(e.stored, 8)}, ${bound}</p>`;
}

const check = (c) => `<p class="line">${esc(c.label)}${c.line.length ? `: ${line(c.line)}` : ""} = ${inside(c.value)}</p>${verdict(c)}`;

function groupLine(e) {
  // bias + the largest sums + the rest
  const order = bySize(e.groups, (g) => g.sum);
  const head = order.slice(0, FEW.groups);
  const rest = order.slice(FEW.groups);
  const others = sum(rest.map((g) => g.sum));
  const digits = digitsFor([e.bias ?? 0, ...head.map((g) => g.sum), others], e.value);
  const parts = head.map((g) => inside(g.sum, digits));
  if (e.bias !== undefined)
    parts.unshift(`${link(e.bias, e.goBias, inside(e.bias, digits))}<small> bias</small>`);
  if (rest.length) parts.push(`${inside(others, digits)}<small> (${rest.length} others)</small>`);
  return `<p class="line">${parts.join(" + ")} = <b>${signed(e.value)}</b></p>`;
}

const bySize = (list, of) => [...list].sort((a, b) => (Math.abs(of(b)) || 0) - (Math.abs(of(a)) || 0));

function groups(e) {
  if (!e.groups?.length) return "";
  const factors = Boolean(e.groups[0].b);
  const order = factors ? bySize(e.groups, (g) => g.sum) : e.groups;
  const shown = order.slice(0, S.all ? order.length : FEW.groups);
  const html = shown.map((g) => {
    const label = `<div class="label soft">${esc(g.label)}${factors ? `: ${g.an} \u00d7 ${g.bn}` : ""}${g.side ? `; its dy is ${link(g.side.v, g.side.go)}` : ""}</div>`;
    const second = factors
      ? `<span class="soft">\u00d7</span>${matrix(g, g.b, g.goB, g.toB)}<span class="soft">=</span><b>${signed(g.sum)}</b>`
      : "";
    return `<div class="group">${label}${matrix(g, g.a, g.goA, g.to, g.win, g.self)}${second}</div>`;
  });
  return html.join("") + more(order.length, FEW.groups);
}

const more = (count, few) =>
  count > few ? `<button data-all="1">${S.all ? "only the largest" : `all ${count}`}</button>` : "";

function matrix(g, list, cells, to, win, self) {
  const most = Math.max(...list.map(Math.abs)) || 1;
  let html = "<table class='m'>";
  for (let r = 0; r < g.rows; r++) {
    html += "<tr>";
    for (let q = 0; q < g.cols; q++) {
      const k = r * g.cols + q;
      const v = list[k];
      const padding = cells[k] < 0;
      const rgb = colour(v, most * 2.2, 0);
      const style = padding ? "" : ` style="background:rgb(${rgb});color:${onto(rgb)}"`;
      const kind = padding ? "pad" : `${k === win ? "win" : ""} ${k === self ? "self" : ""}`;
      html += `<td class="${kind}"${style}>${padding ? "0" : link(v, to(cells[k]), num(v, 3), String(v))}</td>`;
    }
    html += "</tr>";
  }
  return `${html}</table>`;
}

function rows(e) {
  if (!e.rows) return "";
  const order = bySize(e.rows, (r) => r.product);
  const shown = order.slice(0, S.all ? order.length : FEW.rows);
  const rest = order.slice(shown.length);
  const most = Math.abs(order[0]?.product) || 1;
  const hasB = e.rows.some((r) => r.b !== undefined && r.goB);
  const bar = (v) =>
    `<td class="bar"><i style="width:${(100 * Math.abs(v)) / most}%" class="${v < 0 ? "neg" : "pos"}"></i></td>`;
  const number = (v, go) => (v === undefined ? "" : link(v, go));
  const body = shown.map(
    (r) =>
      `<tr><td>${esc(r.label)}</td><td>${number(r.a, r.goA)}</td>${hasB ? `<td>${number(r.b, r.goB)}</td><td>${signed(r.product)}</td>` : ""}${bar(r.product)}</tr>`,
  );
  if (rest.length)
    body.push(
      `<tr class="soft"><td>${rest.length} others</td><td></td>${hasB ? "<td></td>" : ""}<td>${signed(sum(rest.map((r) => r.product)))}</td></tr>`,
    );
  const heads = hasB ? e.head : e.head.slice(0, 2);
  const digits = digitsFor([e.bias ?? 0], e.value);
  const bias =
    e.bias === undefined
      ? ""
      : `<p class="line">${link(e.bias, e.goBias, inside(e.bias, digits))}<small> bias</small> + ${inside(e.value - e.bias, digits)}<small> products</small> = <b>${signed(e.value)}</b></p>`;
  return `${bias}<table class="rows"><tr>${heads.map((h) => `<th scope="col">${h}</th>`).join("")}<th></th></tr>${body.join("")}</table>${more(order.length, FEW.rows)}`;
}

function addends(e) {
  if (!e.addends) return "";
  return `<table class="rows wide">${e.addends.map((a) => `<tr><td>${esc(a.label)}${a.line ? `<br><small class="soft">${line(a.line)}</small>` : ""}</td><td>${link(a.v, a.go)}</td></tr>`).join("")}</table>`;
}

function tile(n) {
  // the entries of one filter's gradient, to choose from
  const t = S.what === "grad" && shownArray();
  if (!t || t.s.length !== 4) return "";
  const [p, q, c, f] = at(t.s, cell());
  const [kh, kw] = t.s;
  const cells = [];
  for (let a = 0; a < kh; a++) for (let b = 0; b < kw; b++) cells.push(flat(t.s, [a, b, c, f]));
  const g = {rows: kh, cols: kw};
  return `<div class="group"><div class="label soft">dw[\u00b7, \u00b7, ${c}, ${f}]: choose an entry</div>${matrix(
    g,
    cells.map((i) => t.v[i]),
    cells,
    goGradOnly(S.which),
    undefined,
    p * kw + q,
  )}</div>`;
}
const goGradOnly = (name) => (i) => ({to: "grad", name, cell: i, gradient: true});

function follows(e) {
  if (!e.links?.length) return "";
  return `<p>${e.links.map((l) => link(l.v, l.go, `${esc(l.label ?? "dL/dy")} ${signed(l.v)}`)).join(" ")}</p>`;
}

function ownLayer(n) {
  const {doc, source, gradcheck} = n.attrs;
  return (
    `<p>A layer of your own. The page shows what went in and out, both ways; it cannot recompute it.</p>` +
    (doc ? `<p class="soft">${esc(doc)}</p>` : "") +
    (gradcheck
      ? `<p class="check ${/^passed/.test(gradcheck) ? "ok" : "bad"}">gradcheck: ${esc(gradcheck)}</p>`
      : "") +
    (source ? `<pre tabindex="0">${esc(source)}</pre>` : "")
  );
}
