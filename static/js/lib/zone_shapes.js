// Zones as SVG shapes, for the page that draws them and for live pictures.

const SVG = "http://www.w3.org/2000/svg";
const ARROW = 0.05; // Of the picture's longer side.

export function element(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Points from 0 to 1 as a closed shape, or as an open line, in a picture of this size. */
export function polygon(points, [width, height], { isLine = false, name = "shape" } = {}) {
  const places = points.map(([x, y]) => `${(x * width).toFixed(1)},${(y * height).toFixed(1)}`).join(" ");
  return element(isLine ? "polyline" : "polygon", { points: places, class: name });
}

/** From the middle of a line to its right, seen from its first end: whoever goes that way goes in. */
export function arrow([[ax, ay], [bx, by]], [width, height]) {
  const [dx, dy] = [(bx - ax) * width, (by - ay) * height];
  const length = Math.hypot(dx, dy) || 1;
  const reach = (Math.max(width, height) * ARROW) / length;
  const [x, y] = [((ax + bx) / 2) * width, ((ay + by) / 2) * height];
  const [outX, outY] = [-dy * reach, dx * reach];
  const [tipX, tipY] = [x + outX, y + outY];
  const wing = (side) => `${tipX - 0.4 * outX + side * 0.3 * outY} ${tipY - 0.4 * outY - side * 0.3 * outX}`;
  return element("path", { d: `M${x} ${y}L${tipX} ${tipY}M${wing(1)}L${tipX} ${tipY}L${wing(-1)}`, class: "arrow" });
}
