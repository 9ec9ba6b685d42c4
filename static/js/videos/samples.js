// The samples of a video, fetched a stretch at a time as the film comes to it; old stretches are forgotten.

const MOST = 6;
const AGAIN_MS = 5_000; // After a fetch that failed.
const STRETCH_S = 30;

export class Samples {
  #parts = new Map(); // By number: null while it is under way.

  constructor(url, perS, onCome) {
    Object.assign(this, { url, perS, onCome });
  }

  /** Which sample is shown at this time: the last one at or before it. */
  indexAt(seconds) {
    return Math.max(0, Math.floor(seconds * this.perS + 0.02));
  }

  /** Boxes and poses at this time, between two samples in between; none while they are under way. */
  at(seconds) {
    const index = this.indexAt(seconds);
    const now = this.#sample(index);
    const following = this.#sample(index + 1);
    const share = Math.max(0, Math.min(1, seconds * this.perS - index));
    return {
      index,
      boxes: blend(now?.boxes ?? [], following?.boxes, share),
      poses: blend(now?.poses ?? [], following?.poses, share),
    };
  }

  #sample(index) {
    const at = index / this.perS;
    const number = Math.floor((at + 1e-6) / STRETCH_S);
    this.#want(number);
    return this.#parts.get(number)?.get(index);
  }

  async #want(number) {
    if (this.#parts.has(number)) return;
    this.#parts.set(number, null);
    if (this.#parts.size > MOST) this.#parts.delete(this.#parts.keys().next().value);
    const from = number * STRETCH_S;
    const query = new URLSearchParams({ from: Math.max(0, from - 1e-4), to: from + STRETCH_S - 1e-4 });
    const answer = await fetch(`${this.url}?${query}`, { cache: "no-store" }).catch(() => null);
    if (!answer?.ok || answer.redirected) {
      setTimeout(() => this.#parts.delete(number), AGAIN_MS);
      return;
    }
    const told = await answer.json();
    const found = new Map();
    const sample = (at) => {
      const index = Math.round(at * this.perS);
      if (!found.has(index)) found.set(index, { boxes: [], poses: [] });
      return found.get(index);
    };
    for (const [at, boxes] of told.boxes) sample(at).boxes = boxes.map(([track, ...xyxy]) => ({ track, values: xyxy }));
    for (const [at, poses] of told.poses) {
      sample(at).poses = poses.map(([track, points]) => ({ track, values: points.flat() }));
    }
    this.#parts.set(number, found);
    this.onCome();
  }
}

/** Of whoever is in both samples what lies between; whoever is in the first alone stays. */
function blend(now, following, share) {
  if (!following || share < 0.05) return now;
  const later = new Map(following.filter(({ track }) => track !== null).map((each) => [each.track, each.values]));
  return now.map(({ track, values }) => {
    const to = later.get(track);
    return to ? { track, values: values.map((value, index) => value + share * (to[index] - value)) } : { track, values };
  });
}
