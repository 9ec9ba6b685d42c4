// The admin's page of a camera's zones: what the table's rows say is drawn on the picture, and what is drawn fills them in.

import { Canvas } from "./zones_canvas.js";
import { Rows } from "./zones_rows.js";
import { text } from "../lib/texts.js";

const MOST_CORNERS = 32;
const STEP = { small: 0.005, large: 0.05 };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NAMES = { mask: "mask", area: "area", line: "line.name" };

const root = document.querySelector("[data-zones]");
const rows = new Rows(root);
const canvas = new Canvas(root.querySelector("[data-canvas]"), root.querySelector("[data-picture]"));
const say = root.querySelector("[data-say]");
const [endButton, cancelButton] = [root.querySelector("[data-end]"), root.querySelector("[data-cancel]")];
let selected = null; // A row.
let drawing = null; // {kind, points}
let cross = [0.5, 0.5]; // Where the next corner would be.
let dragged = null; // {row, index}

const clamp = (value) => Math.round(Math.min(1, Math.max(0, value)) * 10_000) / 10_000;
const isNear = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by) < 0.02;

function show() {
  endButton.hidden = !drawing || drawing.kind === "line" || drawing.points.length < 3;
  cancelButton.hidden = !drawing;
  for (const button of root.querySelectorAll("[data-new]")) button.setAttribute("aria-pressed", drawing?.kind === button.dataset.new);
  rows.show(selected);
  canvas.draw({ zones: rows.shown, selected, drawing, cross });
}

function select(row) {
  selected = row;
  show();
}

function start(kind) {
  if (rows.isFull) {
    say.textContent = text("full");
    return;
  }
  drawing = { kind, points: [] };
  selected = null;
  say.textContent = text(kind === "line" ? "line" : "start");
  show();
  canvas.element.focus();
}

function cancel() {
  drawing = null;
  say.textContent = "";
  show();
}

function end() {
  const { kind, points } = drawing;
  if (points.length < (kind === "line" ? 2 : 3)) return;
  drawing = null;
  const row = rows.add(kind, points, text(NAMES[kind]));
  say.textContent = text("drawn");
  select(row);
  row.nameInput.focus();
  row.nameInput.select();
}

function setCorner(at) {
  const { kind, points } = drawing;
  cross = at;
  if (points.length > 2 && isNear(points[0], at)) return end();
  if (points.length === MOST_CORNERS) {
    say.textContent = text("corners");
    return;
  }
  if (points.length === 0 || !isSame(points.at(-1), at)) points.push(at);
  if (kind === "line" && points.length === 2) end();
  else show();
}

const isSame = (a, b) => a[0] === b[0] && a[1] === b[1];

function moveCorner(row, index, [x, y]) {
  const points = row.points;
  points[index] = [clamp(x), clamp(y)];
  row.points = points;
  show();
}

function insertCorner(row, index) {
  const points = row.points;
  if (points.length === MOST_CORNERS) return;
  const [a, b] = [points[index], points[(index + 1) % points.length]];
  points.splice(index + 1, 0, [clamp((a[0] + b[0]) / 2), clamp((a[1] + b[1]) / 2)]);
  row.points = points;
  show();
  canvas.focusCorner(index + 1);
}

function removeCorner(row, index) {
  const points = row.points;
  if (row.kind === "line" || points.length <= 3) return;
  points.splice(index, 1);
  row.points = points;
  show();
  canvas.focusCorner(Math.min(index, points.length - 1));
}

canvas.element.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  const at = canvas.at(event).map(clamp);
  if (drawing) {
    event.preventDefault();
    setCorner(at);
    return;
  }
  const { corner, between, zone } = event.target.dataset;
  if (between !== undefined) insertCorner(selected, Number(between));
  else if (corner !== undefined) {
    dragged = { row: selected, index: Number(corner) };
    canvas.element.setPointerCapture(event.pointerId);
    canvas.focusCorner(dragged.index);
  } else select(zone === undefined ? null : rows.byId(zone));
  if (corner !== undefined || between !== undefined) event.preventDefault();
});

canvas.element.addEventListener("pointermove", (event) => {
  const at = canvas.at(event).map(clamp);
  if (dragged) moveCorner(dragged.row, dragged.index, at);
  else if (drawing) {
    cross = at;
    show();
  }
});

for (const type of ["pointerup", "pointercancel"]) {
  canvas.element.addEventListener(type, () => {
    if (dragged) canvas.focusCorner(dragged.index);
    dragged = null;
  });
}

function moved([x, y], event) {
  const [dx, dy] = ARROWS[event.key];
  const step = event.shiftKey ? STEP.large : STEP.small;
  return [clamp(x + dx * step), clamp(y + dy * step)];
}

function drawWithKeys(event) {
  if (event.key in ARROWS) {
    cross = moved(cross, event);
    show();
  } else if (event.key === " ") setCorner(cross);
  else if (event.key === "Enter") end();
  else if (event.key === "Backspace") {
    drawing.points.pop();
    show();
  } else if (event.key === "Escape") cancel();
  else return;
  event.preventDefault();
}

function changeWithKeys(event) {
  const { corner, between } = event.target.dataset;
  if (corner !== undefined && event.key in ARROWS) {
    moveCorner(selected, Number(corner), moved(selected.points[corner], event));
    canvas.focusCorner(Number(corner));
  } else if (corner !== undefined && (event.key === "Delete" || event.key === "Backspace")) removeCorner(selected, Number(corner));
  else if (between !== undefined && (event.key === "Enter" || event.key === " ")) insertCorner(selected, Number(between));
  else return;
  event.preventDefault();
}

canvas.element.addEventListener("keydown", (event) => (drawing ? drawWithKeys(event) : changeWithKeys(event)));
for (const button of root.querySelectorAll("[data-new]")) button.addEventListener("click", () => start(button.dataset.new));
endButton.addEventListener("click", end);
cancelButton.addEventListener("click", cancel);
rows.on({ select, change: show });
canvas.ready(show);
if (rows.all.length) select(rows.all.find((row) => row.hasErrors) ?? null);
root.dataset.ready = "";
