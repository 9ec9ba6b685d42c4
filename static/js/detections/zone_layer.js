// A camera's areas and lines over its live picture, with how many people are in each area at the moment shown.

import { arrow, element, polygon } from "../lib/zone_shapes.js";

const LEAST_PX = 12; // Of a name on the screen.

export class ZoneLayer {
  #size = "";
  #labels = new Map(); // By the zone's id.
  #counts = {};

  /** `svg` lies on `picture`, a canvas that has the size of the pictures it shows. */
  constructor(svg, picture) {
    this.svg = svg;
    this.picture = picture;
    const data = document.getElementById("camera-zones");
    this.zones = data ? JSON.parse(data.textContent) : [];
  }

  /** Called with every picture; draws anew where its size is another. */
  fit() {
    const { width, height } = this.picture;
    const shown = this.svg.clientWidth || width;
    const size = `${width} ${height}`;
    if (this.#size === `${size} ${shown}`) return;
    this.#size = `${size} ${shown}`;
    this.svg.setAttribute("viewBox", `0 0 ${size}`);
    // Names are a part of the picture, but never smaller than can be read.
    const unit = Math.max(Math.max(width, height) / 53, (LEAST_PX * width) / shown);
    this.svg.replaceChildren(...this.zones.map((zone) => this.#group(zone, [width, height], unit)));
    this.#write();
  }

  #group({ id, kind, points }, size, unit) {
    const group = element("g", { class: `zone zone-${kind}` });
    group.append(polygon(points, size, { isLine: kind === "line" }));
    if (kind === "line") group.append(arrow(points, size));
    const [x, y] = points[0].map((part, axis) => part * size[axis]);
    const label = element("text", { x: x + unit / 2, y: Math.max(1.2 * unit, y - unit / 2), "font-size": unit });
    this.#labels.set(String(id), label);
    group.append(label);
    return group;
  }

  /** People by area, as the message of the picture's boxes has them; none while the picture is not of now. */
  counts(counts) {
    this.#counts = counts ?? {};
    this.#write();
  }

  #write() {
    for (const { id, name } of this.zones) {
      const label = this.#labels.get(String(id));
      const count = this.#counts[id];
      const value = count === undefined ? name : `${name} · ${count}`;
      if (label && label.textContent !== value) label.textContent = value;
      if (label) label.parentNode.dataset.people = count ?? "";
    }
  }
}
