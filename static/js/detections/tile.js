// One camera's tile: its newest picture, the boxes that belong to that very picture, its lamp, and who is there now.

import { BoxLayer } from "./box_layer.js";
import { ZoneLayer } from "./zone_layer.js";
import { countText, durationText, momentText, text } from "../lib/texts.js";

const LAMPS = { live: "good", quiet: "calm", behind: "warn", frozen: "ice", obscured: "bad", silent: "bad", played: "off", off: "off", unanalysed: "violet", unknown: "off" };
const BLIND = new Set(["silent", "played", "off"]); // States in which no picture comes.
const SEEING = new Set(["live", "quiet", "behind", "unanalysed", "obscured"]); // States in which the picture shown is the present one.
const KEPT_TRACKS = 32;
const MOST_CHIPS = 3;

/** The clips of which the server's page says that they are open. */
export function recordedIn(element) {
  return element.dataset.recordings.split(" ").filter(Boolean);
}

export class Tile {
  #tracks = new Map(); // By sequence number, for pictures still to come.
  #visits = new Map();
  #chips = new Map();
  #recordings = new Set();
  #status = null;
  #lastCapturedAt = null;
  #shownSeq = null;
  isInView = true;

  constructor(element) {
    this.element = element;
    this.slug = element.dataset.camera;
    this.name = element.dataset.name;
    const part = (name) => element.querySelector(`[data-${name}]`);
    this.parts = {
      note: part("note"), count: part("count"), word: part("status-word"), rate: part("rate"), there: part("there"),
      recording: part("recording-mark"),
    };
    this.recorded(recordedIn(element));
    this.canvas = part("picture");
    this.layer = new BoxLayer(part("overlay"), this.canvas);
    this.zones = part("zones") ? new ZoneLayer(part("zones"), this.canvas) : null;
    part("expand").addEventListener("click", () => this.toggleFullScreen());
  }

  get people() {
    return [...this.#visits.values()].filter((visit) => visit.state === "present").length;
  }

  /** Whether somebody should look after this camera. */
  get isTroubled() {
    return this.#status !== null && !["live", "quiet", "off"].includes(this.#status.status);
  }

  status(message) {
    this.#status = message;
    this.name = message.name;
    this.#lastCapturedAt = message.last_captured_at ?? this.#lastCapturedAt;
    this.#showRecording();
    this.#show();
  }

  /** A clip began, or came to its end; several may be open at once. */
  recording({ event, recording }) {
    if (event === "started") this.#recordings.add(recording.id);
    else this.#recordings.delete(recording.id);
    this.#showRecording();
  }

  /** The clips that the server says are open now. */
  recorded(ids) {
    this.#recordings = new Set(ids);
    this.#showRecording();
  }

  /** The line is gone: nothing shown here may pass for the present. */
  forget() {
    this.recorded([]);
    this.#status = null;
    this.#tracks.clear();
    this.#visits.clear();
    this.#show();
  }

  tracks(message) {
    this.#tracks.set(message.seq, message);
    if (this.#tracks.size > KEPT_TRACKS) this.#tracks.delete(this.#tracks.keys().next().value);
    // The camera's own message comes once a second: until then its word must not contradict its boxes.
    if (message.people > 0 && this.#status?.status === "quiet") this.status({ ...this.#status, status: "live" });
    if (message.seq === this.#shownSeq) this.#drawBoxes(message.seq);
  }

  /** Draws the picture together with its boxes. */
  async picture({ seq, capturedAt, jpeg }) {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    const { width, height } = bitmap;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      Object.assign(this.canvas, { width, height });
      this.element.style.setProperty("--ratio", width / height);
    }
    this.canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
    bitmap.close();
    this.zones?.fit();
    this.#shownSeq = seq;
    this.#lastCapturedAt = capturedAt;
    this.#drawBoxes(seq);
    if (this.element.dataset.pictured !== "true") {
      this.element.dataset.pictured = "true";
      this.#show();
    }
  }

  visit({ event, visit }) {
    if (visit.state === "ended" || event === "ended") this.#visits.delete(visit.id);
    else this.#visits.set(visit.id, visit);
    this.#show();
  }

  tick(now) {
    for (const [id, visit] of this.#visits) {
      const chip = this.#chips.get(id);
      if (chip) this.#write(chip, durationText((visit.state === "present" ? now : visit.last_seen) - visit.first_seen));
    }
    this.layer.tick((id) => this.#visits.get(id), now);
  }

  async toggleFullScreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await this.element.requestFullscreen?.().catch(() => {}); // Not every browser lets a page do it (phones).
  }

  #showRecording() {
    // A clip stays open for a while after the last picture, for some may still come late; nothing is being filmed then.
    const isFilming = this.#recordings.size > 0 && !BLIND.has(this.#status?.status);
    this.element.dataset.recording = isFilming;
    this.parts.recording.hidden = !isFilming;
  }

  #drawBoxes(seq) {
    const isPresent = !this.#status || SEEING.has(this.#status.status);
    const boxes = (isPresent && this.#tracks.get(seq)?.boxes) || [];
    this.layer.draw(boxes);
    this.zones?.counts(isPresent ? this.#tracks.get(seq)?.zones : null);
    this.element.dataset.boxes = boxes.length;
    this.element.dataset.seq = seq;
  }

  #show() {
    const { status = "unknown", since = 0, fps = 0, lag_s: lagS = 0 } = this.#status ?? {};
    const { element, parts } = this;
    const hasEver = since > 0 || this.#lastCapturedAt !== null;
    const key = status === "silent" && !hasEver ? "never" : status;
    element.dataset.status = status;
    element.dataset.people = this.people;
    parts.word.dataset.lamp = LAMPS[status] ?? "off";
    this.#write(parts.word, text(`status.${key}`));
    this.#write(parts.rate, this.#rate(status, since || this.#lastCapturedAt, fps, lagS));
    const isStale = !SEEING.has(status) && element.dataset.pictured === "true" && this.#lastCapturedAt;
    this.#write(parts.note, isStale ? text("lastPicture", { time: momentText(this.#lastCapturedAt) }) : "");
    if (!SEEING.has(status) && this.#shownSeq !== null) this.#drawBoxes(this.#shownSeq);
    this.#showThere();
  }

  #rate(status, since, fps, lagS) {
    if (status === "behind" && lagS >= 1) return text("lag", { seconds: lagS.toFixed(0) });
    if (status === "obscured" && since) return text("since", { time: momentText(since) });
    if (SEEING.has(status)) return text("rate", { fps: fps.toFixed(1) });
    const isStuck = ["silent", "played", "frozen"].includes(status);
    return isStuck && since ? text("since", { time: momentText(since) }) : "";
  }

  /** A chip for each person, or in a crowd one for all: chips must not hide the picture. */
  #showThere() {
    const isCrowd = this.#visits.size > MOST_CHIPS;
    for (const [id, chip] of this.#chips) {
      if (isCrowd || !this.#visits.has(id)) {
        chip.remove();
        this.#chips.delete(id);
      }
    }
    this.parts.count.hidden = !isCrowd || !this.people; // All may be out of sight.
    this.#write(this.parts.count, countText("people", this.people));
    if (isCrowd) return;
    for (const [id, visit] of this.#visits) {
      if (!this.#chips.has(id)) {
        const chip = document.createElement("li");
        this.#chips.set(id, chip);
        this.parts.there.append(chip);
      }
      const chip = this.#chips.get(id);
      chip.className = "chip";
      chip.dataset.state = visit.state;
      chip.title = text(`visit.${visit.state}`);
    }
  }

  #write(element, value) {
    if (element.textContent !== value) element.textContent = value;
  }
}
