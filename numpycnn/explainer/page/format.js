// Numbers and markup. What comes from outside (names, source text) goes through esc.

const $ = (id) => document.getElementById(id);
const ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"};
const esc = (t) => String(t).replace(/[&<>"']/g, (c) => ESCAPES[c]);

function num(v, digits = 4) {
  if (!Number.isFinite(v)) return String(v).replace("-", "\u2212");
  if (v === 0) return "0";
  const a = Math.abs(v);
  const t = a >= 1e5 || a < 1e-3 ? v.toExponential(Math.max(digits - 2, 0)) : v.toPrecision(digits);
  return t.replace(/-/g, "\u2212").replace("e+", "e");
}

const signed = (v, digits) => `<span class="${v < 0 ? "neg" : "pos"}">${num(v, digits)}</span>`;
const inside = (v, digits) => (v < 0 ? `(${signed(v, digits)})` : signed(v, digits));
const shapeText = (s) => s.join(" \u00d7 ");

// Links of the sum that is shown: a button's data-i is the place of {v, go} in this list.
const LINKS = [];
function link(v, go, content = signed(v), title = "") {
  if (!go) return content;
  LINKS.push({v, go});
  return `<button class="link" data-i="${LINKS.length - 1}"${title ? ` title="${esc(title)}"` : ""}>${content}</button>`;
}

// How many digits terms need, so that they can be added up to a sum that is much smaller than they are.
const LENGTH = 4;
function digitsFor(terms, total) {
  const lost = Math.floor(Math.log10(Math.max(...terms.map(Math.abs)) / Math.abs(total)));
  return LENGTH + (Number.isFinite(lost) ? Math.min(Math.max(lost, 0), 5) : 0);
}

// A line of a sum: text and numbers, some of them links. Neighbours that nearly cancel, in a sum, a
// difference or a quotient, have the digits that tell them apart.
function line(parts) {
  const digits = (i) => {
    const v = parts[i].v;
    const beside = [-1, 1].map((d) => [parts[i + d], parts[i + 2 * d]?.v]);
    const found = beside
      .filter(([by]) => / [+\u2212/] /.test(by))
      .map(([by, w]) => digitsFor([v, w], by.includes("+") ? v + w : v - w));
    return Math.max(LENGTH, ...found);
  };
  return parts
    .map((p, i) => {
      if (typeof p === "string") return esc(p).replace(/\n/g, "<br>");
      const shown = inside(p.v, digits(i));
      return p.go ? link(p.v, p.go, shown) : shown;
    })
    .join("");
}

function element(tag, properties = {}, ...children) {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children);
  return e;
}
