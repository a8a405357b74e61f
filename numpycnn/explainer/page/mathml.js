// A little of TeX as MathML, which browsers draw themselves: letters and words, numbers, operators,
// _{} ^{} \frac{}{} \sqrt{} \sum \max \text{} \left( \right).

function mathml(source) {
  const tokens = source.match(
    /\\text\{[^}]*\}|\\[a-zA-Z]+|[a-zA-Z\u0370-\u03ff\u2202]+\u0302?|[\d.]+|\S|\u2009/gu,
  );
  let i = 0;
  const op = (t, more = "") => `<mo${more}>${esc(t)}</mo>`;
  const group = () => {
    if (tokens[i] !== "{") return item();
    i++;
    const found = row("}");
    i++;
    return `<mrow>${found}</mrow>`;
  };
  const atom = () => {
    const t = tokens[i++];
    if (t === "\\frac") {
      const a = group();
      const b = group();
      return `<mfrac>${a}${b}</mfrac>`;
    }
    if (t === "\\sqrt") return `<msqrt>${group()}</msqrt>`;
    if (t === "\\sum") return op("\u2211", ' largeop="true" movablelimits="false"');
    if (t === "\\quad") return '<mspace width="1.5em"></mspace>';
    if (t === "\\left" || t === "\\right") return op(tokens[i++], ' stretchy="true"');
    if (t.startsWith("\\text")) return `<mtext>${esc(t.slice(6, -1)).replace(/^ | $/g, "\u00a0")}</mtext>`;
    if (t.startsWith("\\")) return `<mi class="fn">${t.slice(1)}</mi><mspace width=".2em"></mspace>`;
    if (t === "\u2009") return '<mspace width=".25em"></mspace>';
    if (/^[\d.]/.test(t)) return `<mn>${t}</mn>`;
    if (/^[\p{L}\u2202]/u.test(t)) return `<mi>${t}</mi>`;
    return op(
      t === "-" ? "\u2212" : t,
      "()".includes(t) ? ' stretchy="false"' : t === "," ? ' separator="true"' : "",
    );
  };
  const item = () => {
    const sum = tokens[i] === "\\sum";
    let base = atom();
    while (tokens[i] === "_" || tokens[i] === "^") {
      const under = tokens[i++] === "_";
      const other = group();
      const tag = sum ? (under ? "munder" : "mover") : under ? "msub" : "msup";
      base = `<${tag}>${base}${other}</${tag}>`;
    }
    return base;
  };
  const row = (end) => {
    let found = "";
    while (i < tokens.length && tokens[i] !== end) found += item();
    return found;
  };
  return `<math display="block">${row()}</math>`;
}
