// Skeletons over a picture: COCO's 17 key points and the bones between them.

const BONES = [[5, 7], [7, 9], [6, 8], [8, 10], [5, 6], [5, 11], [6, 12], [11, 12], [11, 13], [13, 15], [12, 14], [14, 16], [0, 1], [0, 2], [1, 3], [2, 4]];
const SURE = 0.5; // Of a key point that is drawn.

export class SkeletonLayer {
  #poses = [];

  constructor(canvas, picture) {
    Object.assign(this, { canvas, picture });
    new ResizeObserver(() => this.#paint()).observe(canvas);
  }

  /** Each pose is 17 times x, y (0 to 1) and confidence. */
  draw(poses) {
    this.#poses = poses;
    this.#paint();
  }

  #paint() {
    const unit = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight].map((side) => Math.round(side * unit));
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    if (!this.#poses.length) return;
    const scale = Math.min(width / this.picture.width, height / this.picture.height);
    const [wide, high] = [this.picture.width * scale, this.picture.height * scale];
    const [left, top] = [(width - wide) / 2, (height - high) / 2];
    const colour = getComputedStyle(this.canvas).getPropertyValue("--skeleton").trim() || "#7fd8b8";
    for (const values of this.#poses) {
      const points = Array.from({ length: 17 }, (_one, index) => {
        const [x, y, sure] = values.slice(3 * index, 3 * index + 3);
        return sure >= SURE ? [left + x * wide, top + y * high] : null;
      });
      paintPose(context, points, { colour, unit });
    }
  }
}

function paintPose(context, points, { colour, unit }) {
  const bones = new Path2D();
  for (const [one, other] of BONES) {
    if (!points[one] || !points[other]) continue;
    bones.moveTo(...points[one]);
    bones.lineTo(...points[other]);
  }
  context.lineCap = "round";
  for (const [style, thickness] of [["rgb(0 0 0 / 55%)", 5], [colour, 2.5]]) {
    context.strokeStyle = style;
    context.lineWidth = thickness * unit;
    context.stroke(bones);
  }
  for (const point of points.filter(Boolean)) {
    context.beginPath();
    context.arc(...point, 3 * unit, 0, 2 * Math.PI);
    context.fillStyle = "#fff";
    context.fill();
    context.lineWidth = 1.5 * unit;
    context.strokeStyle = colour;
    context.stroke();
  }
}
