"use strict";
// Places in arrays. A tensor is {v: numbers, s: shape}; images are (H, W, C), in memory order.

const size = (s) => s.reduce((a, b) => a * b, 1);
const dims = (s) => (s.length === 3 ? s : [1, 1, size(s)]); // as (H, W, C)

function at(s, i) {
  // the place of number i: one index an axis
  const place = [];
  for (let a = s.length - 1; a >= 0; a--) {
    place[a] = i % s[a];
    i = Math.floor(i / s[a]);
  }
  return place;
}

function flat(s, place) {
  // the number at a place
  return place.reduce((i, p, a) => i * s[a] + p, 0);
}

const sum = (list) => {
  let s = 0;
  for (const v of list) s += v;
  return s;
};
const sumAbs = (list) => {
  let s = 0;
  for (const v of list) s += Math.abs(v);
  return s;
};
const largest = (v) => {
  let m = 0;
  for (const a of v) if (Math.abs(a) > m && a - a === 0) m = Math.abs(a);
  return m;
};
const zeros = (n) => new Float64Array(n);

function random(seed) {
  // numbers in [0, 1), the same for the same seed
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// The windows of a pool: which outputs have the input pixel (r, t) in theirs.
function windowsOver({size: [kh, kw], stride: [sh, sw]}, [OH, OW], r, t) {
  const found = [];
  for (let i = Math.max(0, Math.ceil((r - kh + 1) / sh)); i <= Math.min(OH - 1, Math.floor(r / sh)); i++)
    for (let j = Math.max(0, Math.ceil((t - kw + 1) / sw)); j <= Math.min(OW - 1, Math.floor(t / sw)); j++)
      found.push([i, j]);
  return found;
}

// The numbers of the pixels in the window of output (i, j), channel c.
function windowAt({size: [kh, kw], stride: [sh, sw]}, s, i, j, c) {
  const found = [];
  for (let p = 0; p < kh; p++) for (let q = 0; q < kw; q++) found.push(flat(s, [i * sh + p, j * sw + q, c]));
  return found;
}

// The first of the largest; NaN is larger than all, as in NumPy.
function winner(values) {
  let best = 0;
  for (let k = 0; k < values.length; k++) {
    if (values[k] !== values[k]) return k;
    if (values[k] > values[best]) best = k;
  }
  return best;
}
