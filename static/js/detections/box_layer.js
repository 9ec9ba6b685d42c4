// Boxes over a picture: the corners of a frame around each person, with how long that person has been there.

import { durationText } from "../lib/texts.js";

const CORNER = 0.28; // Of the shorter side.
const FEW = 3;

function pixels(xyxy, { left, top, width, height }) {
  return xyxy.map((value, index) => (index % 2 ? top + value * height : left + value * width));
}

export class BoxLayer {
  #boxes = [];
  #labels = new Map();

  constructor(canvas, picture) {
    this.canvas = canvas;
    this.picture = picture;
    new ResizeObserver(() => this.#paint()).observe(canvas);
  }

  draw(boxes) {
    this.#boxes = boxes;
    this.#paint();
  }

  /** Renews the labels; `find` gives a visit by its id. */
  tick(find, now) {
    const labels = new Map();
    for (const { visit: id } of this.#boxes) {
      const visit = id && find(id);
      if (visit) labels.set(id, durationText(now - visit.first_seen));
    }
    const isSame = labels.size === this.#labels.size && [...labels].every(([id, label]) => this.#labels.get(id) === label);
    this.#labels = labels;
    if (!isSame) this.#paint();
  }

  /** Where the picture lies within the canvas, which it fills as far as its proportion allows. */
  #place(width, height) {
    const scale = Math.min(width / this.picture.width, height / this.picture.height);
    const size = { width: this.picture.width * scale, height: this.picture.height * scale };
    return { left: (width - size.width) / 2, top: (height - size.height) / 2, ...size };
  }

  #paint() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.canvas.clientWidth * ratio);
    const height = Math.round(this.canvas.clientHeight * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    if (this.#boxes.length === 0) return;
    const place = this.#place(width, height);
    const colour = getComputedStyle(this.canvas).getPropertyValue("--box").trim() || "#f2bb59";
    for (const box of this.#boxes) this.#paintBox(context, box, place, { colour, unit: ratio });
    for (const box of this.#boxes) this.#paintLabel(context, box, place, { colour, unit: ratio });
  }

  #paintBox(context, { xyxy, visit }, place, { colour, unit }) {
    const [left, top, right, bottom] = pixels(xyxy, place);
    const corner = CORNER * Math.min(right - left, bottom - top);
    const corners = new Path2D();
    for (const [x, y, toX, toY] of [[left, top, 1, 1], [right, top, -1, 1], [right, bottom, -1, -1], [left, bottom, 1, -1]]) {
      corners.moveTo(x + toX * corner, y);
      corners.lineTo(x, y);
      corners.lineTo(x, y + toY * corner);
    }
    context.lineJoin = context.lineCap = "round";
    // A dark seam keeps the lines readable on a bright picture.
    for (const [style, thickness] of [["rgb(0 0 0 / 55%)", 5], [colour, 2.5]]) {
      context.strokeStyle = style;
      context.lineWidth = thickness * unit;
      context.stroke(corners);
    }
    context.lineWidth = unit;
    context.globalAlpha = 0.45;
    context.setLineDash(visit ? [] : [4 * unit, 4 * unit]); // Dashed until the track is confirmed as a visit.
    context.strokeRect(left, top, right - left, bottom - top);
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  #paintLabel(context, { xyxy, visit }, place, { colour, unit }) {
    const label = this.#labels.get(visit);
    if (!label) return;
    const [left, top, right] = pixels(xyxy, place);
    context.font = `600 ${12 * unit}px ${getComputedStyle(this.canvas).fontFamily}`;
    const width = context.measureText(label).width + 10 * unit;
    if (this.#boxes.length > FEW && right - left < width) return; // In a crowd labels would hide their neighbours.
    const height = 18 * unit;
    const y = top - height - 3 * unit < 0 ? top + 3 * unit : top - height - 3 * unit;
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(left, y, width, height, 4 * unit);
    context.fill();
    context.fillStyle = "#1c1404";
    context.textBaseline = "middle";
    context.fillText(label, left + 5 * unit, y + height / 2 + 0.5 * unit);
  }
}
