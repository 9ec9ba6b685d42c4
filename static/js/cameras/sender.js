// One camera's connection to the server: hello, frames within the credit, answers; it comes back by itself.

import { Backoff } from "../lib/backoff.js";
import { steadyMs } from "../lib/clock.js";
import { decodeMessage, encodeFrame } from "../lib/protocol.js";

const UNANSWERED_MS = 10_000; // A line that has died in silence.
const GREETING_MS = 10_000;
const REFUSED_MS = 20_000;
const LONG_BUSY = 8; // Answers in a row, some ten seconds: what waits is then thinned, so that it does not grow old.
const HOLD_MS = { first: 250, last: 2_000 };
const MISTIMED = new Set(["too_old", "too_new"]);
const RESET_MS = 60_000; // Once a minute at most: a server that refuses every time is not to be stormed.
const BARRED = new Set([4401, 4403, 4404]);
const REASONS = { 1008: "policy", 4401: "access", 4403: "access", 4404: "access" };

/** `state` is connecting, open, waiting, refused (a reason says why), taken or closed. */
export class Sender {
  #socket = null;
  #backoff = new Backoff();
  #helloMs = 0;
  #credit = 0;
  #maxBytes = Infinity;
  #lastCapturedAt = 0;
  #holdUntilMs = 0;
  #holdMs = HOLD_MS.first;
  #busyInARow = 0;
  #lastError = "";
  #resetMs = -Infinity;
  state = "closed";
  reason = "";
  isBarred = false; // Nothing may be captured for this camera now: access has ended, or it is switched off.
  retryAtMs = 0;

  constructor({ url, stream, outbox, clock, on }) {
    Object.assign(this, { url, stream, outbox, clock, on });
  }

  connect() {
    this.#lastError = "";
    this.#become("connecting");
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#helloMs = steadyMs();
    socket.addEventListener("open", () => {
      this.#helloMs = steadyMs();
      socket.send(JSON.stringify({ type: "hello", protocol: 1, stream: this.stream }));
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket && typeof data === "string") this.#hear(decodeMessage(data));
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (socket === this.#socket) this.#lose(code, reason);
    });
  }

  /** Takes a picture to be sent as soon as the server allows it; false if it can never be. */
  offer(frame) {
    if (frame.jpeg.byteLength > this.#maxBytes) return false;
    this.outbox.add(frame);
    this.#pump();
    return true;
  }

  /** Called several times a second: reconnects when it is time, and gives up a line that has died. */
  tick(nowMs) {
    if ((this.state === "waiting" || this.state === "refused") && nowMs >= this.retryAtMs) this.connect();
    else if (this.state === "connecting" && nowMs - this.#helloMs > GREETING_MS) this.reconnect();
    else if (this.state === "open") {
      if (this.clock.hasJumped()) this.#forgetTime();
      else if (this.outbox.unansweredMs(nowMs) > UNANSWERED_MS) this.reconnect();
      else this.#pump();
    }
  }

  /** After a sleep nobody can say any more when the waiting pictures were taken. */
  #forgetTime() {
    this.outbox.clear();
    this.reconnect();
  }

  reconnect() {
    this.#drop();
    this.#lose(1006, "");
  }

  /** The user's wish: at once, whatever the state. */
  retry() {
    this.#drop();
    this.#backoff.reset();
    this.connect();
  }

  close() {
    this.#drop();
    this.outbox.connectionLost();
    this.#become("closed");
  }

  #hear(message) {
    if (message?.type === "welcome") this.#greet(message);
    else if (message?.type === "ack") this.#settle(message);
    else if (message?.type === "result") this.on.result(message);
    else if (message?.type === "masks") this.on.masks(message);
    else if (message?.type === "error") this.#lastError = message.code;
  }

  #greet(welcome) {
    const nowMs = steadyMs();
    this.clock.correct(welcome.server_time, this.#helloMs, nowMs);
    this.#credit = welcome.credit;
    this.#maxBytes = welcome.max_bytes;
    this.#holdUntilMs = 0;
    this.isBarred = false;
    this.outbox.resume(welcome.last_seq);
    this.on.masks(welcome);
    this.on.welcome(welcome, nowMs - this.#helloMs);
    this.#become("open");
    this.#pump();
  }

  #settle(ack) {
    const nowMs = steadyMs();
    this.#credit = ack.credit ?? this.#credit;
    const frame = this.outbox.answer(ack.seq, ack.verdict);
    if (ack.verdict === "busy") {
      this.#busyInARow += 1;
      if (this.#busyInARow >= LONG_BUSY) this.outbox.thin(nowMs);
      this.#holdUntilMs = nowMs + this.#holdMs;
      this.#holdMs = Math.min(HOLD_MS.last, this.#holdMs * 2);
    } else {
      this.#busyInARow = 0;
      this.#holdMs = HOLD_MS.first;
      this.#backoff.reset(); // Only a picture that arrived proves the line: a greeting alone may be followed by a refusal.
    }
    if (frame?.sentMs) this.on.answer(ack, nowMs - frame.sentMs);
    if (MISTIMED.has(ack.reason) && nowMs - this.#resetMs > RESET_MS) {
      this.#resetMs = nowMs;
      this.#forgetTime();
    } else this.#pump();
  }

  #pump() {
    const nowMs = steadyMs();
    if (this.state !== "open" || nowMs < this.#holdUntilMs) return;
    for (let frame = this.outbox.take(this.#credit, nowMs); frame; frame = this.outbox.take(this.#credit, nowMs)) {
      // A corrected clock must not turn the order of two pictures round; a picture sent again keeps its time.
      frame.capturedAt ??= Math.max(this.#lastCapturedAt + 0.001, this.clock.at(frame.atMs));
      this.#lastCapturedAt = Math.max(this.#lastCapturedAt, frame.capturedAt);
      this.#socket.send(encodeFrame(frame));
      this.on.sent(frame);
    }
  }

  #lose(code, reason) {
    const wasOpen = this.state === "open";
    this.#socket = null;
    this.outbox.connectionLost();
    if (code === 4409) return this.#become("taken");
    const cause = REASONS[code] && (this.#lastError || REASONS[code]); // The error before the close says it best.
    if (BARRED.has(code)) this.#bar();
    this.retryAtMs = steadyMs() + (cause ? REFUSED_MS : this.#backoff.nextMs());
    this.#become(cause ? "refused" : "waiting", cause ?? "", reason);
    // A refused handshake looks like a dead line to a script: the page itself tells whether access has ended.
    if (!cause && !wasOpen && this.#backoff.tries % 3 === 2) this.#askForAccess();
  }

  async #askForAccess() {
    const answer = await fetch(location.href, { method: "HEAD", redirect: "manual", cache: "no-store" }).catch(() => null);
    const isBarred = answer && (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status));
    if (!isBarred || this.state !== "waiting") return;
    this.#bar();
    this.retryAtMs = steadyMs() + REFUSED_MS;
    this.#become("refused", "access");
  }

  #bar() {
    this.isBarred = true;
    this.outbox.clear();
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null; // Its late events are no longer ours.
    socket?.close();
  }

  #become(state, reason = "", detail = "") {
    this.state = state;
    this.reason = reason;
    this.detail = detail;
    this.on.state(this);
  }
}
