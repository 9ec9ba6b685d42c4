// A camera's day on one axis: what was seen, recorded and who was there. Zooms and moves by pointer and by keys; of what
// is too much to show one by one the server sends counts, and the items themselves once a part is looked at closer.

import { clockText, countText, text } from "../lib/texts.js";

const SVG = "http://www.w3.org/2000/svg";
const LANES = { coverage: [0, 26], clips: [32, 22], visits: [60, 10], ticks: 76 };
const STEPS_S = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 10_800, 21_600];
const SHORTEST_S = 60;
const TICK_PX = 72;
const WAIT_MS = 200;
const RENEW_MS = 30_000;
const DRAGGED_PX = 4;

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export class Timeline {
  #timer = 0;
  #asked = 0;
  #range = [null, null];
  #drag = null;

  constructor(root, data) {
    this.root = root;
    this.day = { start: data.start, end: data.end };
    this.view = { ...this.day };
    this.data = data;
    this.axis = root.querySelector("[data-axis]");
    this.lanes = root.querySelector("[data-lanes]");
    this.detail = root.querySelector("[data-detail]");
    this.open = root.querySelector("[data-open]");
    this.cursor = this.#last();
    this.axis.setAttribute("aria-valuemax", Math.round(data.end - data.start));
    this.axis.addEventListener("keydown", (event) => this.#key(event));
    this.axis.addEventListener("pointerdown", (event) => this.#grab(event));
    this.axis.addEventListener("pointermove", (event) => this.#pull(event));
    this.axis.addEventListener("pointerup", (event) => this.#let(event));
    this.axis.addEventListener("dblclick", () => this.#play());
    this.axis.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    for (const button of root.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => this.#zoomBy(button.dataset.zoom));
    this.observer = new ResizeObserver(() => this.#paint());
    this.observer.observe(this.lanes);
    if (root.dataset.today === "true") this.renewing = setInterval(() => document.hidden || this.#fetch(), RENEW_MS);
    this.#go(this.cursor);
  }

  stop() {
    this.observer.disconnect();
    clearInterval(this.renewing);
    clearTimeout(this.#timer);
  }

  /** The newest thing there is, else the middle of the day. */
  #last() {
    const { items, bins } = this.data.clips;
    return items.at(-1)?.start ?? bins.at(-1)?.start ?? this.data.coverage.at(-1)?.[1] ?? (this.day.start + this.day.end) / 2;
  }

  get #span() {
    return this.view.end - this.view.start;
  }

  // --- Moving and zooming ---

  #go(at) {
    this.cursor = Math.max(this.day.start, Math.min(this.day.end - 1, at));
    if (this.cursor < this.view.start || this.cursor > this.view.end) this.#show(this.cursor - this.#span / 2, this.#span);
    this.#paint();
    this.#tell();
  }

  #show(start, span) {
    const whole = this.day.end - this.day.start;
    const length = Math.max(SHORTEST_S, Math.min(whole, span));
    const first = Math.max(this.day.start, Math.min(this.day.end - length, start));
    this.view = { start: first, end: first + length };
    this.#paint();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fetch(), WAIT_MS);
  }

  #zoom(factor, around = this.cursor) {
    const share = (around - this.view.start) / this.#span;
    const span = Math.max(SHORTEST_S, Math.min(this.day.end - this.day.start, this.#span * factor));
    this.#show(around - share * span, span);
  }

  #zoomBy(word) {
    if (word === "all") this.#show(this.day.start, Infinity);
    else this.#zoom(word === "in" ? 0.5 : 2);
  }

  async #fetch() {
    const number = ++this.#asked;
    const data = await this.#ask(this.view.start, this.view.end);
    if (!data || number !== this.#asked) return;
    this.data = data;
    this.#paint();
    this.#tell();
  }

  async #ask(start, end) {
    const query = new URLSearchParams({ camera: this.root.dataset.camera, from: start, to: end });
    const answer = await fetch(`${this.root.dataset.url}?${query}`, { cache: "no-store" }).catch(() => null);
    return answer?.ok && !answer.redirected ? answer.json() : null;
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = (this.#span / 120) * (event.shiftKey ? 10 : 1);
    const acts = {
      ArrowRight: () => this.#go(this.cursor + step), ArrowUp: () => this.#go(this.cursor + step),
      ArrowLeft: () => this.#go(this.cursor - step), ArrowDown: () => this.#go(this.cursor - step),
      PageUp: () => this.#go(this.cursor + this.#span / 2), PageDown: () => this.#go(this.cursor - this.#span / 2),
      Home: () => this.#go(this.day.start), End: () => this.#go(this.day.end),
      "+": () => this.#zoom(0.5), "=": () => this.#zoom(0.5), "-": () => this.#zoom(2), "0": () => this.#zoomBy("all"),
      n: () => this.#jump(1), p: () => this.#jump(-1),
      "[": () => this.#mark(0), "]": () => this.#mark(1),
      Enter: () => this.#play(),
    };
    const act = acts[event.key] ?? acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #at({ clientX }) {
    const { left, width } = this.lanes.getBoundingClientRect();
    return this.view.start + ((clientX - left) / width) * this.#span;
  }

  #grab(event) {
    if (event.button !== 0) return;
    this.#drag = { x: event.clientX, start: this.view.start, isMoved: false };
    this.axis.setPointerCapture(event.pointerId);
  }

  #pull(event) {
    if (!this.#drag) return;
    const by = event.clientX - this.#drag.x;
    if (!this.#drag.isMoved && Math.abs(by) < DRAGGED_PX) return;
    this.#drag.isMoved = true;
    this.#show(this.#drag.start - (by / this.lanes.clientWidth) * this.#span, this.#span);
  }

  #let(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (drag && !drag.isMoved) this.#go(this.#at(event));
  }

  #wheel(event) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.#zoom(event.deltaY > 0 ? 1.25 : 0.8, this.#at(event));
    } else if (event.deltaX || event.shiftKey) {
      event.preventDefault();
      this.#show(this.view.start + ((event.deltaX || event.deltaY) / this.lanes.clientWidth) * this.#span, this.#span);
    }
  }

  // --- What is under the cursor ---

  #clip() {
    return this.data.clips.items.findLast(({ start, end }) => start <= this.cursor && this.cursor <= end);
  }

  /** To the next clip or the one before, also where it begins outside of what is shown. */
  async #jump(by) {
    const from = this.cursor;
    let to = this.#nextTo(from, by, this.data);
    if (to === undefined) {
      const rest = by > 0 ? [this.view.end, this.day.end] : [this.day.start, this.view.start];
      if (rest[1] - rest[0] >= 1) to = this.#nextTo(from, by, await this.#ask(...rest));
    }
    if (to !== undefined && this.cursor === from) this.#go(to);
  }

  #nextTo(at, by, data) {
    const starts = [...(data?.clips.items ?? []), ...(data?.clips.bins ?? [])].map(({ start }) => start);
    return by > 0 ? starts.find((start) => start > at + 0.01) : starts.findLast((start) => start < at - 0.01);
  }

  #play() {
    const clip = this.#clip();
    if (clip) location.href = this.#address(clip);
    else if (this.data.clips.bins.length > 0) this.#zoom(0.25); // Closer, they are shown one by one.
  }

  #address(clip) {
    const t = Math.max(0, this.cursor - clip.start).toFixed(1);
    return `${this.root.dataset.clipUrl.replace(/[0-9a-f-]{36}/, clip.id)}?t=${t}`;
  }

  /** The cursor's moment becomes the beginning or the end of a film. */
  #mark(which) {
    const form = this.root.querySelector("[data-export]");
    form.open = true;
    this.#range[which] = this.cursor;
    const moment = new Date(Math.round(this.cursor) * 1000);
    const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
    form.querySelector(which === 0 ? "[name=start]" : "[name=end]").value = local;
    this.#paint();
  }

  #tell() {
    const at = this.cursor;
    const words = [clockText(at)];
    const cover = this.data.coverage.findLast(([, start, end]) => start <= at && at < end);
    if (cover) words[0] += ` – ${text(`cover.${cover[0]}`)}`;
    const clip = this.#clip();
    if (clip) words.push(text("clip.within", { from: clockText(clip.start), to: clockText(clip.end) }));
    for (const lane of ["clips", "visits"]) {
      const bin = this.data[lane].bins.find(({ start, end }) => start <= at && at < end);
      if (bin) words.push(text("clip.begin", { what: countText(lane, bin.count), from: clockText(bin.start), to: clockText(bin.end) }));
    }
    const visits = this.data.visits.items.filter(({ start, end }) => start <= at && at <= end).length;
    if (visits) words.push(countText("visits", visits));
    this.detail.textContent = words.join(" · ");
    this.axis.setAttribute("aria-valuenow", Math.round(at - this.day.start));
    this.axis.setAttribute("aria-valuetext", this.detail.textContent);
    this.open.hidden = !clip;
    if (clip) this.open.href = this.#address(clip);
  }

  // --- Painting ---

  #paint() {
    const width = this.lanes.clientWidth;
    if (!width) return;
    const x = (at) => ((at - this.view.start) / this.#span) * width;
    const bar = ([y, height], start, end, attributes, least = 2) => {
      const left = Math.max(-2, x(start));
      const right = Math.min(width + 2, x(end));
      if (right < 0 || left > width) return [];
      return [shape("rect", { x: left, y, width: Math.max(least, right - left), height, ...attributes })];
    };
    const chosen = this.#clip();
    const pieces = [];
    for (const lane of ["clips", "visits"]) pieces.push(...bar(LANES[lane], this.view.start, this.view.end, { class: "lane-ground" }));
    for (const [kind, start, end] of this.data.coverage) pieces.push(...bar(LANES.coverage, start, end, { class: `cover cover-${kind}` }, 0.5));
    for (const clip of this.data.clips.items) {
      const name = clip === chosen ? "lane-clip chosen" : "lane-clip";
      pieces.push(...bar(LANES.clips, clip.start, clip.end, { class: name, rx: 3, "data-state": clip.state }));
    }
    for (const visit of this.data.visits.items) pieces.push(...bar(LANES.visits, visit.start, visit.end, { class: "stay", rx: 2 }));
    pieces.push(...this.#crowd("clips", "lane-clip", bar), ...this.#crowd("visits", "stay", bar));
    if (this.#range.every((each) => each !== null)) {
      pieces.push(...bar([0, 72], Math.min(...this.#range), Math.max(...this.#range), { class: "timeline-range" }));
    }
    pieces.push(...this.#ticks(x, width));
    pieces.push(shape("rect", { class: "cursor", x: x(this.cursor) - 1, y: 0, width: 2, height: 72 }));
    this.lanes.replaceChildren(...pieces);
  }

  /** The more began in a stretch, the taller its bar. */
  #crowd(lane, name, bar) {
    const { bins } = this.data[lane];
    const most = Math.max(1, ...bins.map(({ count }) => count));
    const [y, height] = LANES[lane];
    return bins.flatMap(({ start, end, count }) => {
      const tall = Math.max(2, (count / most) * height);
      return bar([y + height - tall, tall], start, end, { class: name }, 1);
    });
  }

  #ticks(x, width) {
    const most = Math.max(2, Math.floor(width / TICK_PX));
    const step = STEPS_S.find((each) => this.#span / each <= most) ?? STEPS_S.at(-1);
    const pieces = [];
    const first = Math.ceil((this.view.start - this.day.start) / step);
    for (let at = this.day.start + first * step; at <= this.view.end; at += step) {
      const label = shape("text", { class: "tick-label", x: x(at) + 4, y: LANES.ticks + 16 });
      label.textContent = step < 60 ? clockText(at) : clockText(at).slice(0, 5);
      pieces.push(shape("rect", { class: "tick", x: x(at), y: LANES.ticks - 4, width: 1, height: 16 }), label);
    }
    return pieces;
  }
}
