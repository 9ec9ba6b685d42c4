// The server's time, kept on this machine's steady clock: a wall clock set by hand never moves a capture time.

const JUMP_MS = 500;

/** Milliseconds of a clock that only moves forward and that windows and workers share. */
export function steadyMs() {
  return performance.timeOrigin + performance.now();
}

export class ServerClock {
  #offsetMs = null;
  #skewMs = 0;

  /** Takes the server's time (Unix seconds), read between our sending and receiving: half a round trip ago. */
  correct(serverTime, sentMs, receivedMs) {
    this.#offsetMs = serverTime * 1000 + (receivedMs - sentMs) / 2 - receivedMs;
    this.#skewMs = Date.now() - steadyMs();
  }

  get isSet() {
    return this.#offsetMs !== null;
  }

  /** The server's Unix seconds at one of our steady milliseconds. */
  at(ms) {
    return (ms + (this.#offsetMs ?? 0)) / 1000;
  }

  now() {
    return this.at(steadyMs());
  }

  /** The steady clock stops while a machine sleeps, and drifts: then only a new connection tells the time. */
  hasJumped() {
    return this.isSet && Math.abs(Date.now() - steadyMs() - this.#skewMs) > JUMP_MS;
  }
}
