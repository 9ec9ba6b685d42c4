// Zones as SVG over the camera's picture: shapes, and handles at the corners of the one that is selected.

import { arrow, element, polygon } from "../lib/zone_shapes.js";
import { text } from "../lib/texts.js";

const HANDLE_PX = 7;

export class Canvas {
  #size = [1, 1];

  constructor(svg, picture) {
    this.element = svg;
    this.picture = picture;
  }

  /** Calls back once the picture's size is known. */
  ready(callback) {
    const know = () => {
      const { naturalWidth: width, naturalHeight: height } = this.picture;
      if (!width) return;
      this.#size = [width, height];
      this.element.setAttribute("viewBox", `0 0 ${width} ${height}`);
      callback();
    };
    this.picture.addEventListener("load", know);
    new ResizeObserver(know).observe(this.element); // Handles keep their size on the screen.
    know();
  }

  /** Where the pointer is, from 0 to 1. */
  at(event) {
    const box = this.element.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  focusCorner(index) {
    this.element.querySelector(`[data-corner="${index}"]`)?.focus();
  }

  draw({ zones, selected, drawing, cross }) {
    const scale = this.#size[0] / (this.element.clientWidth || this.#size[0]);
    const parts = zones.map((zone) => this.#zone(zone, zone === selected));
    if (selected && zones.includes(selected) && !drawing) parts.push(...this.#handles(selected, HANDLE_PX * scale));
    if (drawing) parts.push(...this.#draft(drawing, cross, HANDLE_PX * scale));
    const focused = document.activeElement?.dataset?.corner;
    const hadFocus = this.element.contains(document.activeElement) && document.activeElement !== this.element;
    this.element.replaceChildren(...parts);
    this.element.classList.toggle("drawing", drawing !== null);
    if (hadFocus && focused !== undefined) this.focusCorner(focused);
  }

  #zone(zone, isSelected) {
    const group = element("g", { class: `zone zone-${zone.kind}${isSelected ? " selected" : ""}` });
    const shape = polygon(zone.points, this.#size, { isLine: zone.kind === "line" });
    shape.dataset.zone = zone.id;
    group.append(shape);
    if (zone.kind === "line") group.append(arrow(zone.points, this.#size));
    const [x, y] = zone.points[0].map((part, axis) => part * this.#size[axis]);
    const label = element("text", { x: x + 6, y: Math.max(18, y - 6) });
    label.textContent = zone.name;
    group.append(label);
    return group;
  }

  #handles(row, radius) {
    const { points, name, kind } = row;
    const place = (point) => ({ cx: point[0] * this.#size[0], cy: point[1] * this.#size[1] });
    const corners = points.map((point, index) => {
      const handle = element("circle", { ...place(point), r: radius, class: "corner", tabindex: 0, role: "button" });
      handle.dataset.corner = index;
      handle.setAttribute("aria-label", text("corner", { number: index + 1, name }));
      return handle;
    });
    if (kind === "line") return corners;
    const between = points.map(([x, y], index) => {
      const [nextX, nextY] = points[(index + 1) % points.length];
      const middle = [(x + nextX) / 2, (y + nextY) / 2];
      const handle = element("circle", { ...place(middle), r: radius * 0.6, class: "between", tabindex: 0, role: "button" });
      handle.dataset.between = index;
      handle.setAttribute("aria-label", text("between", { name }));
      return handle;
    });
    return [...between, ...corners];
  }

  #draft({ kind, points }, [x, y], radius) {
    const [left, top] = [x * this.#size[0], y * this.#size[1]];
    const parts = [element("path", { d: `M${left - 2 * radius} ${top}h${4 * radius}M${left} ${top - 2 * radius}v${4 * radius}`, class: "cross" })];
    if (points.length) parts.unshift(polygon([...points, [x, y]], this.#size, { isLine: true, name: `draft zone-${kind}` }));
    for (const [cornerX, cornerY] of points) {
      parts.push(element("circle", { cx: cornerX * this.#size[0], cy: cornerY * this.#size[1], r: radius, class: "corner" }));
    }
    return parts;
  }
}
