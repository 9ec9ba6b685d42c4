// Frames that the server has not answered yet: in order, at most `credit` under way, bounded in age and bytes. Pure.

const KEEP_MS = 30_000;
const MAX_BYTES = 24_000_000;
const RECENT_MS = 2_000;
const TAKEN = new Set(["admitted", "no_motion", "no_person"]);

export class Outbox {
  #frames = []; // Oldest first: {seq, atMs, jpeg, maskVersion, sentMs}; sentMs is null while a frame is not under way.
  #lastSeq = 0;
  #lastTaken = 0;
  bytes = 0;
  lost = 0;

  constructor({ keepMs = KEEP_MS, maxBytes = MAX_BYTES } = {}) {
    this.keepMs = keepMs;
    this.maxBytes = maxBytes;
  }

  get underWay() {
    return this.#frames.filter((frame) => frame.sentMs !== null).length;
  }

  get waiting() {
    return this.#frames.length - this.underWay;
  }

  /** How old the oldest frame is that still waits to be sent. */
  waitingMs(nowMs) {
    const frame = this.#frames.find((each) => each.sentMs === null);
    return frame ? nowMs - frame.atMs : 0;
  }

  /** How long the oldest frame under way has gone unanswered. */
  unansweredMs(nowMs) {
    return Math.max(0, ...this.#frames.filter((frame) => frame.sentMs !== null).map((frame) => nowMs - frame.sentMs));
  }

  add({ atMs, jpeg, maskVersion = 0 }) {
    this.#lastSeq += 1;
    this.#frames.push({ seq: this.#lastSeq, atMs, jpeg, maskVersion, sentMs: null });
    this.bytes += jpeg.byteLength;
    this.trim(atMs);
    return this.#lastSeq;
  }

  /** Marks the oldest waiting frame as under way and returns it, or null while the credit is used up. */
  take(credit, nowMs) {
    this.trim(nowMs);
    if (this.underWay >= credit) return null;
    const frame = this.#frames.find((each) => each.sentMs === null);
    if (!frame) return null;
    frame.sentMs = nowMs;
    return frame;
  }

  /** Settles a frame and returns it (null if it is unknown). A busy one waits again unless a later one was taken. */
  answer(seq, verdict) {
    const frame = this.#frames.find((each) => each.seq === seq);
    if (TAKEN.has(verdict)) this.#lastTaken = Math.max(this.#lastTaken, seq);
    if (!frame) return null;
    if (verdict === "busy" && seq > this.#lastTaken) {
      const answered = { ...frame };
      frame.sentMs = null;
      return answered;
    }
    this.#remove(frame);
    // The order of a stream is kept: what a later frame has overtaken is not sent again.
    if (TAKEN.has(verdict)) {
      for (const older of this.#frames.filter((each) => each.seq < seq && each.sentMs === null)) this.#lose(older);
    }
    return frame;
  }

  /** After a reconnect: the server has judged everything up to `lastSeq`; the rest is sent again. */
  resume(lastSeq) {
    for (const frame of this.#frames.filter((each) => each.seq <= lastSeq)) this.#remove(frame);
    this.#lastTaken = Math.max(this.#lastTaken, lastSeq);
    this.#lastSeq = Math.max(this.#lastSeq, lastSeq);
    this.connectionLost();
  }

  clear() {
    for (const frame of [...this.#frames]) this.#lose(frame);
  }

  connectionLost() {
    for (const frame of this.#frames) frame.sentMs = null;
  }

  /** While the server stays busy one frame per second is worth sending again: every second stays seen, the queue short. */
  thin(nowMs) {
    const seconds = new Set();
    for (const frame of this.#frames.filter((each) => each.sentMs === null && nowMs - each.atMs > RECENT_MS)) {
      const second = Math.floor(frame.atMs / 1000);
      if (seconds.has(second)) this.#lose(frame);
      seconds.add(second);
    }
  }

  trim(nowMs) {
    const waiting = this.#frames.filter((frame) => frame.sentMs === null);
    for (const frame of waiting) {
      if (nowMs - frame.atMs <= this.keepMs && this.bytes <= this.maxBytes) break;
      this.#lose(frame);
    }
  }

  #lose(frame) {
    this.lost += 1;
    this.#remove(frame);
  }

  #remove(frame) {
    this.#frames.splice(this.#frames.indexOf(frame), 1);
    this.bytes -= frame.jpeg.byteLength;
  }
}
