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

// A line of a sum: text and numbers, some of them links.
function line(parts) {
  return parts
    .map((p) =>
      typeof p === "string"
        ? esc(p).replace(/\n/g, "<br>")
        : p.go
          ? link(p.v, p.go, inside(p.v))
          : inside(p.v),
    )
    .join("");
}

function element(tag, properties = {}, ...children) {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children);
  return e;
}
