// The strip of a day's minutes: a cursor for pointer and keys, and the words for the minute under it.

import { hasText, text } from "../lib/texts.js";

// The order in which the server gives a minute's counts (detections/day.py).
const COUNTS = ["most_people", "received", "refused", "analysed", "waiting", "failed", "busy", "invalid", "judged"];
const ALWAYS = new Set(["received", "analysed", "judged"]);
const HOUR = 60;

export class Strip {
  #minute = 0;

  constructor(element, detail, { start, kinds, minutes }) {
    Object.assign(this, { element, detail, start, kinds, minutes });
    this.segments = [...element.querySelectorAll("[data-segment]")];
    this.clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    this.#minute = Math.max(0, kinds.indexOf("ahead") < 0 ? 0 : kinds.indexOf("ahead") - 1);
    element.addEventListener("pointermove", (event) => this.#point(event));
    element.addEventListener("pointerdown", (event) => this.#point(event));
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("focus", () => this.#go(this.#minute));
    detail.textContent = this.#describe(this.#minute);
  }

  #point({ clientX, clientY }) {
    for (const segment of this.segments) {
      const { left, right, top, bottom, width } = segment.getBoundingClientRect();
      if (clientX < left || clientX >= right || clientY < top || clientY >= bottom) continue;
      const { first, length } = segment.dataset;
      this.#go(Number(first) + Math.floor(((clientX - left) / width) * Number(length)));
    }
  }

  #key(event) {
    const by = event.shiftKey ? HOUR : 1;
    const targets = {
      ArrowRight: this.#minute + by, ArrowUp: this.#minute + by,
      ArrowLeft: this.#minute - by, ArrowDown: this.#minute - by,
      PageUp: this.#minute + HOUR, PageDown: this.#minute - HOUR,
      Home: 0, End: this.kinds.length - 1,
    };
    if (!(event.key in targets)) return;
    event.preventDefault();
    this.#go(targets[event.key]);
  }

  #go(minute) {
    this.#minute = Math.max(0, Math.min(this.kinds.length - 1, minute));
    for (const segment of this.segments) {
      const offset = this.#minute - Number(segment.dataset.first);
      const isHere = offset >= 0 && offset < Number(segment.dataset.length);
      const cursor = segment.querySelector("[data-cursor]");
      cursor.toggleAttribute("hidden", !isHere);
      if (isHere) cursor.setAttribute("x", `${((offset + 0.5) / Number(segment.dataset.length)) * 100}%`);
    }
    const words = this.#describe(this.#minute);
    this.element.setAttribute("aria-valuenow", this.#minute);
    this.element.setAttribute("aria-valuetext", words);
    this.detail.textContent = words;
  }

  #describe(minute) {
    const when = this.clock.format(new Date((this.start + minute * 60) * 1000));
    const [kind, ...counts] = this.minutes[minute] ?? [this.kinds[minute]];
    const told = counts.flatMap((count, index) => {
      const key = `detail.${COUNTS[index]}`;
      return hasText(key) && (count > 0 || ALWAYS.has(COUNTS[index])) ? [text(key, { count })] : [];
    });
    return [`${when} – ${text(`cover.${kind}`)}`, ...told].join(" · ");
  }
}
