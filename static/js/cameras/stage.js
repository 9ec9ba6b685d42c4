// Which of its states the capture page is in, from what the server said last. Pure: the time is passed in.

const NEW_MS = 3_000;
const UPDATED_MS = 2_000;
const UNANSWERED_MS = 4_000;
const GATE_WORD_MS = 2_000;

export class Stage {
  #visits = new Map(); // By id: what is shown of it, since when, and when it last changed.
  #resultMs = 0;
  #refusedSinceMs = null;
  #admittedSinceMs = null;

  /** A new line: what was said on the old one no longer counts. */
  reset() {
    this.#refusedSinceMs = null;
    this.#admittedSinceMs = null;
  }

  /** The gate's word: pictures refused for a while mean that nobody is in view. */
  answer({ verdict, reason }, nowMs) {
    if (verdict === "no_motion" || verdict === "no_person") {
      this.#refusedSinceMs ??= nowMs;
      this.#admittedSinceMs = null;
    } else if (verdict === "admitted" && reason !== "sample") {
      this.#refusedSinceMs = null;
      this.#admittedSinceMs ??= nowMs;
    }
  }

  /** Analysis's word: the visits that are open now. */
  result({ visits }, nowMs) {
    const isFirst = this.#resultMs === 0;
    this.#resultMs = nowMs;
    const seen = new Map();
    for (const visit of visits.filter((each) => each.state === "present")) {
      const known = this.#visits.get(visit.id);
      const shown = JSON.stringify([visit.settled, visit.verified, visit.picture !== null]);
      seen.set(visit.id, {
        shown,
        settled: visit.settled,
        sinceMs: known?.sinceMs ?? (isFirst ? nowMs - NEW_MS : nowMs),
        changedMs: known && known.shown !== shown ? nowMs : (known?.changedMs ?? nowMs - UPDATED_MS),
      });
    }
    this.#visits = seen;
  }

  get people() {
    return this.#visits.size;
  }

  /** ready, new, updated, present, settled, or unanswered: somebody may be there and analysis does not say. */
  at(nowMs) {
    if (this.#refusedSinceMs !== null && nowMs - Math.max(this.#refusedSinceMs, this.#resultMs) > GATE_WORD_MS) {
      this.#visits.clear();
    }
    const admittedMs = this.#admittedSinceMs === null ? 0 : nowMs - Math.max(this.#admittedSinceMs, this.#resultMs);
    if (admittedMs > UNANSWERED_MS) return "unanswered";
    const visits = [...this.#visits.values()];
    if (visits.length === 0) return "ready";
    if (visits.some((visit) => nowMs - visit.sinceMs < NEW_MS)) return "new";
    if (visits.some((visit) => nowMs - visit.changedMs < UPDATED_MS && !visit.settled)) return "updated";
    return visits.every((visit) => visit.settled) ? "settled" : "present";
  }
}
