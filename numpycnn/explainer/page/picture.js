// A dropped picture in the form of the network's images, as `numpycnn predict` reads it: data/picture.py,
// but for its sharpening and its specks; data/decode.py for a network that was trained on picture files.

const SIDE = 512; // a photo is made no larger than this at once
const LEVELS = 12; // grey levels; what differs less from the background is background

// -> numbers from 0 to 1: three colours a pixel where C is 3, otherwise grey.
async function readPicture(file, [H, W, C]) {
  const picture = await createImageBitmap(file);
  const {fit, light} = INFO.pictures;
  const whole = [0, 0, picture.width, picture.height];
  const values = C === 3 ? colours : greys;
  if (fit || C === 3) return values(framed(picture, whole, W, H, fit)).map((v) => v / 255);
  const turned = (v) => (light ? 255 - v : v) / 255;
  if (picture.width === W && picture.height === H) {
    const grey = greys(framed(picture, whole, W, H));
    const edge = border(grey, W);
    return grey.map((v) => turned(sum(edge) / edge.length >= 128 ? 255 - v : v));
  }
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const [w, h] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale)));
  const {canvas, box} = standsOut(greys(framed(picture, whole, w, h, "stretch")), w, h);
  if (!box) return zeros(H * W).map(turned); // nothing stands out from the background
  const grey = greys(framed(canvas, box, W, H));
  const most = largest(grey) || 1;
  return grey.map((v) => turned((255 * v) / most));
}

// l = |p - b|, 0 where l <= t, of the grey p, b the border's median -> l as a canvas, and its box.
function standsOut(grey, w, h) {
  const edge = border(grey, w);
  const b = median(edge);
  const t = Math.max(LEVELS, 4 * 1.4826 * median(edge.map((v) => Math.abs(v - b))));
  const image = new ImageData(w, h);
  const box = [w, h, -1, -1]; // left, top, right, bottom
  grey.forEach((p, m) => {
    const l = Math.abs(p - b) > t ? Math.abs(p - b) : 0;
    image.data.set([l, l, l, 255], 4 * m);
    const [x, y] = [m % w, Math.floor(m / w)];
    if (l)
      [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)].forEach((v, i) => {
        box[i] = v;
      });
  });
  const canvas = element("canvas", {width: w, height: h});
  canvas.getContext("2d").putImageData(image, 0, 0);
  const [left, top, right, bottom] = box;
  return {canvas, box: right < 0 ? null : [left, top, right - left + 1, bottom - top + 1]};
}

// A part of a picture, scaled, in the middle of a frame: black, or with fit "pad" of its border's colour.
function framed(source, part, W, H, fit) {
  const [, , width, height] = part;
  const scale = (fit === "crop" ? Math.max : Math.min)(W / width, H / height);
  const [w, h] = fit === "stretch" ? [W, H] : [width, height].map((v) => Math.max(1, Math.round(v * scale)));
  const inside = element("canvas", {width: w, height: h});
  const pen = inside.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#fff"; // where the picture is transparent
  pen.fillRect(0, 0, w, h);
  pen.drawImage(source, ...part, 0, 0, w, h);
  const frame = element("canvas", {width: W, height: H});
  const x = frame.getContext("2d");
  const edge = (c) => border(channel(inside, c), w);
  x.fillStyle = fit ? `rgb(${[0, 1, 2].map((c) => Math.floor(median(edge(c))))})` : "#000";
  x.fillRect(0, 0, W, H);
  const middle = fit ? Math.floor : Math.ceil;
  x.drawImage(inside, middle((W - w) / 2), middle((H - h) / 2));
  return frame;
}

const pixels = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
const channel = (canvas, c) => Array.from(pixels(canvas)).filter((_, i) => i % 4 === c);
const colours = (canvas) => Array.from(pixels(canvas)).filter((_, i) => i % 4 < 3);
function greys(canvas) {
  const d = pixels(canvas);
  return Array.from({length: d.length / 4}, (_, m) =>
    Math.round(0.299 * d[4 * m] + 0.587 * d[4 * m + 1] + 0.114 * d[4 * m + 2]),
  );
}
// The first and the last row and column, the corners twice.
function border(values, w) {
  const edge = [...values.slice(0, w), ...values.slice(-w)];
  for (let i = 0; i < values.length; i += w) edge.push(values[i], values[i + w - 1]);
  return edge;
}
function median(values) {
  const order = [...values].sort((a, b) => a - b);
  const half = order.length / 2;
  return (order[Math.ceil(half) - 1] + order[Math.floor(half)]) / 2;
}
