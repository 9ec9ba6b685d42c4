// What the capture page shows. Everything that is shown is also an attribute of the page's root: style and tests read it.

import { MaskLayer } from "./masks.js";
import { clockText, hasText, text } from "../lib/texts.js";

const LAMPS = { open: "good", connecting: "warn", waiting: "bad", refused: "bad", taken: "bad", closed: "off" };
const SHOW_MS = 250;

export class View {
  #parts = {};
  #shown = new Map();
  #connectMs = null;
  #since = null;

  constructor(root) {
    this.root = root;
    this.socketPath = root.dataset.socket;
    this.video = root.querySelector("video");
    this.maskLayer = new MaskLayer(root.querySelector("[data-masks]"), this.video);
    for (const element of root.querySelectorAll("[data-part]")) this.#parts[element.dataset.part] = element;
  }

  on({ choose, pause, resume, retry, reopen }) {
    const { picker, stop, start, takeBack, retryNow, reopenNow } = this.#parts;
    picker.addEventListener("change", () => choose(picker.value));
    stop.addEventListener("click", pause);
    start.addEventListener("click", resume);
    takeBack.addEventListener("click", retry);
    retryNow.addEventListener("click", retry);
    reopenNow.addEventListener("click", reopen);
  }

  preview(stream) {
    this.video.srcObject = stream;
    if (stream) this.video.play().catch(() => {}); // Some browsers play only once the page is in front.
  }

  masked(masks) {
    this.maskLayer.show(masks);
    this.root.dataset.maskVersion = masks.version;
  }

  connected(rttMs) {
    this.#connectMs = rttMs;
    this.#since = Date.now() / 1000;
  }

  pictured(width, height) {
    this.#put("size", `${width} × ${height}`);
  }

  webcams(devices, current) {
    const options = devices.map(({ id, label }, index) => {
      const option = new Option(label || text("webcam.unnamed", { number: index + 1 }), id);
      option.selected = id === current;
      return option;
    });
    this.#parts.picker.replaceChildren(...options);
    this.#parts.picker.disabled = devices.length === 0;
  }

  /** Throttled: it is called for every tick, and a hundred changes a second help nobody. */
  show(now) {
    const key = `${now.state}/${now.connection}/${now.reason}/${now.problem}`;
    const isNews = key !== this.key;
    if (!isNews && performance.now() - (this.shownMs ?? 0) < SHOW_MS) return;
    this.key = key;
    this.shownMs = performance.now();
    this.#data(now);
    if (isNews) this.#stage(now);
    this.#connection(now);
    this.#counts(now);
  }

  #data({ state, connection, problem, fps, rttMs, counts, buffered, people, lost }) {
    Object.assign(this.root.dataset, {
      state,
      connection,
      problem: problem ?? "",
      people,
      fps: fps.toFixed(1),
      rttMs: rttMs === null ? "" : Math.round(rttMs),
      buffered,
      lost,
      sent: counts.sent,
      acked: counts.acked,
      admitted: counts.admitted,
      noMotion: counts.no_motion,
      noPerson: counts.no_person,
      busy: counts.busy,
      invalid: counts.invalid,
    });
  }

  #stage({ state, problem, reason, people }) {
    const refused = hasText(`refused.${reason}.detail`) ? reason : "access";
    const detail = state === "problem" ? `problem.${problem}` : state === "refused" ? `refused.${refused}` : `state.${state}`;
    this.#put("title", text(state === "problem" ? `${detail}.title` : `state.${state}.title`));
    this.#put("detail", hasText(`${detail}.detail`) ? text(`${detail}.detail`, { people }) : "");
    this.#parts.takeBack.hidden = state !== "taken";
    this.#parts.retryNow.hidden = state !== "refused";
    this.#parts.reopenNow.hidden = state !== "problem" || problem === "insecure" || problem === "unsupported";
    this.#parts.start.hidden = state !== "paused";
    this.#parts.stop.hidden = state === "paused";
    this.#parts.veil.hidden = !["problem", "paused", "starting"].includes(state);
  }

  #connection({ connection, fps, rttMs, retryInS, queueS, buffered }) {
    this.#parts.lamp.dataset.lamp = LAMPS[connection];
    this.#put("lamp", text(`connection.${connection}`));
    this.#put("retry", connection === "waiting" || connection === "refused" ? text("retry", { seconds: Math.ceil(retryInS) }) : "");
    this.#put("fps", fps.toFixed(1));
    this.#put("rtt", `${Math.round(rttMs ?? this.#connectMs ?? 0)} ms`);
    this.#put("since", this.#since && connection === "open" ? clockText(this.#since) : "–");
    this.#parts.queue.hidden = queueS === 0;
    this.#put("queueText", text("queue", { seconds: Math.round(queueS), count: buffered }));
    this.#parts.queueBar.value = Math.min(30, queueS);
  }

  #counts({ counts, lost, lastFault }) {
    this.#put("sent", counts.sent);
    this.#put("admitted", counts.admitted);
    this.#put("nobody", counts.no_motion + counts.no_person);
    for (const [name, count] of [["busy", counts.busy], ["invalid", counts.invalid], ["tooLarge", counts.too_large], ["lost", lost]]) {
      this.#parts[`${name}Row`].hidden = count === 0;
      this.#put(name, count);
    }
    this.#parts.fault.hidden = lastFault === "";
    this.#put("fault", lastFault && text("fault", { reason: hasText(`reason.${lastFault}`) ? text(`reason.${lastFault}`) : lastFault }));
  }

  /** Writes only what differs, so that a screen reader hears news and nothing else. */
  #put(part, value) {
    const shown = String(value);
    if (this.#shown.get(part) === shown) return;
    this.#shown.set(part, shown);
    this.#parts[part].textContent = shown;
  }
}
