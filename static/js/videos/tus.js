// Uploads one file by the tus protocol, in pieces; a broken connection is waited for, and a page that is opened again
// goes on with the same file where it was.

import { Backoff } from "../lib/backoff.js";

const VERSION = "1.0.0";
const PIECE_BYTES = 8 * 1024 * 1024; // The server takes 24 MB at once.
const PREFIX = "omil:upload:";
const MOST_TRIES = 60; // In a row without anything having come through: about ten minutes.

function base64(text) {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}

/** Refused by the server: trying again would not help, or not before its user has logged in again. */
class RefusedError extends Error {
  constructor(message, { isFinal = true } = {}) {
    super(message);
    this.isFinal = isFinal;
  }
}

export class Upload {
  #request = null;
  #isCancelled = false;
  #backoff = new Backoff();
  offset = 0;
  url = "";

  /** `on` has progress(offset), lost() and checked(). `wishes` are the metadata, as texts. */
  constructor({ file, endpoint, token, wishes, on }) {
    Object.assign(this, { file, endpoint, token, wishes, on });
    this.key = PREFIX + JSON.stringify([file.name, file.size, file.lastModified, wishes]);
  }

  /** Until all of it is there; rejects with a RefusedError, whose message is for people, or when it is cancelled. */
  async run() {
    this.url = this.#remembered();
    for (let tries = 0; ; ) {
      const before = this.offset;
      try {
        await this.#goOn();
        this.#remember("");
        return;
      } catch (error) {
        if (this.#isCancelled || error instanceof RefusedError) {
          if (this.#isCancelled || error.isFinal) this.#remember("");
          throw error;
        }
        tries = this.offset > before ? 0 : tries + 1;
        if (tries > MOST_TRIES) throw error;
        this.on.lost();
        await new Promise((done) => { setTimeout(done, this.#backoff.nextMs()); });
        if (this.#isCancelled) throw error;
      }
    }
  }

  async cancel() {
    this.#isCancelled = true;
    this.#request?.abort();
    this.#remember("");
    if (this.url) await this.#send("DELETE", this.url).catch(() => {});
  }

  async #goOn() {
    if (this.url) await this.#findOffset();
    if (!this.url) await this.#create();
    this.on.progress(this.offset);
    while (this.offset < this.file.size) {
      if (this.#isCancelled) throw new Error("cancelled");
      const piece = this.file.slice(this.offset, this.offset + PIECE_BYTES);
      if (this.offset + piece.size === this.file.size) this.on.last?.();
      const answer = await this.#send("PATCH", this.url, {
        headers: { "Content-Type": "application/offset+octet-stream", "Upload-Offset": this.offset },
        body: piece,
        onProgress: (sent) => this.on.progress(this.offset + sent),
        onSent: () => { if (this.offset + piece.size === this.file.size) this.on.checked(); },
      });
      if (answer.status !== 204) this.#refuse(answer);
      this.offset = Number(answer.getResponseHeader("Upload-Offset"));
      this.#backoff.reset();
      this.on.progress(this.offset);
    }
  }

  async #create() {
    const wishes = { filename: this.file.name, ...this.wishes };
    const metadata = Object.entries(wishes).map(([name, value]) => `${name} ${base64(value)}`).join(",");
    const answer = await this.#send("POST", this.endpoint, { headers: { "Upload-Length": this.file.size, "Upload-Metadata": metadata } });
    if (answer.status !== 201) this.#refuse(answer);
    // Its path alone: behind a proxy the server may know itself by another name than we do.
    this.url = new URL(answer.getResponseHeader("Location")).pathname;
    this.offset = 0;
    this.#remember(this.url);
  }

  async #findOffset() {
    const answer = await this.#send("HEAD", this.url);
    if (answer.status === 404 || answer.status === 410) {
      this.url = "";
      this.offset = 0;
    } else if (answer.status === 200) {
      this.offset = Number(answer.getResponseHeader("Upload-Offset"));
    } else {
      this.#refuse(answer);
    }
  }

  /** Refusals with a sentence are for good; what is busy, overloaded or of another offset is tried again. */
  #refuse(answer) {
    let told = null;
    try {
      told = JSON.parse(answer.responseText);
    } catch {
      told = null;
    }
    if (told?.message) throw new RefusedError(told.message, { isFinal: answer.status !== 401 });
    throw new Error(`status ${answer.status}`);
  }

  #send(method, url, { headers = {}, body = null, onProgress, onSent } = {}) {
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest(); // fetch tells nothing of what has been sent.
      this.#request = request;
      request.open(method, url);
      const all = { "Tus-Resumable": VERSION, "X-CSRFToken": this.token, ...headers };
      for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
      if (onProgress) request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
      if (onSent) request.upload.addEventListener("load", onSent);
      request.addEventListener("load", () => done(request));
      for (const name of ["error", "abort", "timeout"]) request.addEventListener(name, () => fail(new Error(name)));
      request.send(body);
    });
  }

  #remembered() {
    try {
      return localStorage.getItem(this.key) ?? "";
    } catch {
      return "";
    }
  }

  #remember(url) {
    try {
      if (url) localStorage.setItem(this.key, url);
      else localStorage.removeItem(this.key);
    } catch {
      // Storage is forbidden: this page can go on with the upload, another one cannot.
    }
  }
}
