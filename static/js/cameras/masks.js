// Privacy masks: what is blacked out of every picture before it is encoded, and out of the preview.
// Polygons have corners from 0 to 1; `version` goes into the header of every frame that was masked by them.

const RIM_PX = 3; // A line over the edge, so that no rounding leaves a rim.
const SVG = "http://www.w3.org/2000/svg";

export const NO_MASKS = { masks: [], version: 0 };

/** What the server says of masks, in its page and in its messages. */
export function masksOf({ masks, mask_version: version }) {
  return { masks: masks ?? [], version: version ?? 0 };
}

/** The ones that the page came with. */
export function masksOfPage() {
  const element = document.getElementById("camera-masks");
  return element ? masksOf(JSON.parse(element.textContent)) : NO_MASKS;
}

export function drawMasks(context, { masks }, width, height) {
  context.fillStyle = "#000";
  context.strokeStyle = "#000";
  context.lineWidth = RIM_PX;
  context.lineJoin = "round";
  for (const mask of masks) {
    context.beginPath();
    for (const [x, y] of mask) context.lineTo(x * width, y * height);
    context.closePath();
    context.fill();
    context.stroke();
  }
}

/** Black shapes over the preview; `layer` is an SVG element that lies on the video. */
export class MaskLayer {
  #masks = NO_MASKS;

  constructor(layer, video) {
    this.layer = layer;
    this.video = video;
    for (const event of ["loadedmetadata", "resize"]) video.addEventListener(event, () => this.#draw());
  }

  show(masks) {
    this.#masks = masks;
    this.#draw();
  }

  #draw() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return;
    this.layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const shapes = this.#masks.masks.map((mask) => {
      const shape = document.createElementNS(SVG, "polygon");
      shape.setAttribute("points", mask.map(([x, y]) => `${x * width},${y * height}`).join(" "));
      return shape;
    });
    this.layer.replaceChildren(...shapes);
  }
}
