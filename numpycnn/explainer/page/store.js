// The page's arrays: one block of float32, and rules that make some of them from others again, bit
// for bit as NumPy did (each step is rounded to float32).

const f32 = Math.fround;
const each = (n, f) => {
  const y = new Float32Array(n);
  for (let i = 0; i < n; i++) y[i] = f(i);
  return y;
};
const inverse = (v, eps) => f32(1 / f32(Math.sqrt(f32(v + f32(eps)))));

const RULES = {
  // (arrays, numbers, shape) -> numbers
  same: ([x]) => x.v,
  repeat: ([x], [sh, sw], s) =>
    each(size(s), (k) => {
      const [i, j, c] = at(s, k);
      return x.v[flat(x.s, [Math.floor(i / sh), Math.floor(j / sw), c])];
    }),
  relu: ([x]) => each(x.v.length, (i) => (x.v[i] > 0 || x.v[i] !== x.v[i] ? x.v[i] : 0)),
  gate: ([dy, y]) => each(dy.v.length, (i) => dy.v[i] * (y.v[i] > 0 ? 1 : 0)),
  times: ([a, b]) => each(a.v.length, (i) => a.v[i] * b.v[i]),
  scale: ([x], [factor]) => each(x.v.length, (i) => x.v[i] * f32(factor)),
  shift: ([x], [mean, factor]) => each(x.v.length, (i) => f32(x.v[i] - f32(mean)) * f32(factor)),
  sum: (all) => each(all[0].v.length, (i) => all.slice(1).reduce((s, t) => f32(s + t.v[i]), all[0].v[i])),
  concat: (all, _, s) => {
    const C = s[s.length - 1];
    const y = new Float32Array(size(s));
    let from = 0;
    for (const t of all) {
      const c = t.s[t.s.length - 1];
      for (let i = 0; i < t.v.length; i++) y[Math.floor(i / c) * C + from + (i % c)] = t.v[i];
      from += c;
    }
    return y;
  },
  slice: ([x], [start], s) => {
    const C = x.s[x.s.length - 1];
    const c = s[s.length - 1];
    return each(size(s), (i) => x.v[Math.floor(i / c) * C + start + (i % c)]);
  },
  outer: ([x, dy], _, [, K]) => each(x.v.length * K, (i) => x.v[Math.floor(i / K)] * dy.v[i % K]),
  norm: ([x, mean, v, gamma, beta], [eps]) => {
    const C = gamma.v.length;
    const inv = each(C, (c) => inverse(v.v[c], eps));
    return each(x.v.length, (i) => {
      const c = i % C;
      const xhat = f32(f32(x.v[i] - mean.v[c]) * inv[c]);
      return f32(gamma.v[c] * xhat) + beta.v[c];
    });
  },
  norm_use_dx: ([dy, v, gamma], [eps]) => {
    const C = gamma.v.length;
    const scale = each(C, (c) => gamma.v[c] * inverse(v.v[c], eps));
    return each(dy.v.length, (i) => scale[i % C] * dy.v[i]);
  },
  norm_train_dx: ([dy, x, mean, v, gamma, dgamma, dbeta], [eps, m]) => {
    const C = gamma.v.length;
    const inv = each(C, (c) => inverse(v.v[c], eps));
    const db = each(C, (c) => dbeta.v[c] / m);
    const dg = each(C, (c) => dgamma.v[c] / m);
    return each(x.v.length, (i) => {
      const c = i % C;
      const xhat = f32(f32(x.v[i] - mean.v[c]) * inv[c]);
      return f32(gamma.v[c] * inv[c]) * f32(f32(dy.v[i] - db[c]) - f32(xhat * dg[c]));
    });
  },
  pool: ([x], [kh, kw, sh, sw], s) => {
    const g = {size: [kh, kw], stride: [sh, sw]};
    return each(size(s), (k) => {
      const values = windowAt(g, x.s, ...at(s, k)).map((i) => x.v[i]);
      return values[winner(values)];
    });
  },
  unpool: ([dy, x], [kh, kw, sh, sw]) => {
    const g = {size: [kh, kw], stride: [sh, sw]};
    const dx = new Float32Array(x.v.length);
    const places = []; // in NumPy's order of additions: by the place in the window
    for (let k = 0; k < dy.v.length; k++) {
      const window = windowAt(g, x.s, ...at(dy.s, k));
      const w = winner(window.map((i) => x.v[i]));
      places.push([w, window[w], dy.v[k]]);
    }
    for (const [, i, d] of places.sort((a, b) => a[0] - b[0])) dx[i] += d;
    return dx;
  },
};

function checksum(v) {
  const number = new Float32Array(1);
  const bits = new Uint32Array(number.buffer);
  let all = 0;
  for (let i = 0; i < v.length; i++) {
    number[0] = v[i] === v[i] ? v[i] + 0 : 1; // -0 is 0
    all = (all + Math.imul(bits[0], (i % 65521) + 1)) >>> 0;
  }
  return all;
}

class Store {
  constructor(tensors, block) {
    this.tensors = tensors;
    this.block = block;
    this.known = new Map();
    this.wrong = []; // arrays that a rule did not make as Python did
  }

  get(i) {
    // -> {v, s}; v is null of an array that the page must compute
    if (!this.known.has(i)) {
      const [s, place, rule, sources, numbers, sign] = this.tensors[i];
      let v = null;
      if (rule)
        v = RULES[rule](
          sources.map((j) => this.get(j)),
          numbers,
          s,
        );
      else if (place != null) v = this.block.subarray(place, place + size(s));
      if (rule && checksum(v) !== sign) this.wrong.push(`${rule} of ${sources}`);
      this.known.set(i, {v, s});
    }
    return this.known.get(i);
  }
}

// Two letters for 13 bits, and the lengths of four pieces of zlib before them, each a byte of every
// number, exponents first -> Float32Array
async function unpack(text) {
  const value = new Uint8Array(128);
  let letter = 0;
  for (let c = 33; c < 127; c++) if (!"<&\\".includes(String.fromCharCode(c))) value[c] = letter++;
  const [a, b, c, d, letters] = text.split(" ");
  const bytes = new Uint8Array(Math.floor((letters.length / 2) * (13 / 8)));
  for (let i = 0, at = 0, kept = 0, bits = 0; i < letters.length; i += 2) {
    kept = ((kept << 13) | (value[letters.charCodeAt(i)] * 91 + value[letters.charCodeAt(i + 1)])) & 0xfffff;
    for (bits += 13; bits >= 8; at++) bytes[at] = (kept >> (bits -= 8)) & 255;
  }
  const planes = [];
  let from = 0;
  for (const length of [a, b, c, d].map(Number)) {
    const piece = new Blob([bytes.subarray(from, (from += length))]);
    const stream = piece.stream().pipeThrough(new DecompressionStream("deflate"));
    planes.push(new Uint8Array(await new Response(stream).arrayBuffer()));
  }
  const out = new Uint32Array(planes[0].length);
  for (let i = 0; i < out.length; i++) {
    const turned = (planes[0][i] << 24) | (planes[1][i] << 16) | (planes[2][i] << 8) | planes[3][i];
    out[i] = (turned >>> 1) | (turned << 31);
  }
  return new Float32Array(out.buffer);
}
