// The part of the page that uploads: a row for each file, two at a time, each with its progress and its cancel button.

import { durationText, text } from "../lib/texts.js";
import { Upload } from "./tus.js";

const AT_ONCE = 2;
const RATE_S = 8; // Over which the rate is measured.

class Row {
  #marks = [];

  constructor(file, list) {
    this.file = file;
    const template = document.querySelector("[data-upload-row]");
    this.element = template.content.firstElementChild.cloneNode(true);
    this.part("upload-name").textContent = file.name;
    this.element.querySelector("progress").setAttribute("aria-label", file.name);
    list.append(this.element);
    this.say("waiting", text("upload.waiting"));
  }

  part(name) {
    return this.element.querySelector(`.${name}`);
  }

  say(state, words) {
    this.element.dataset.state = state;
    this.part("upload-said").textContent = words;
  }

  get percent() {
    return Math.floor(100 * (this.offset ?? 0) / this.file.size);
  }

  progress(offset) {
    this.offset = offset;
    this.element.querySelector("progress").value = offset / this.file.size;
    const now = performance.now() / 1000;
    this.#marks.push([now, offset]);
    while (this.#marks.length > 2 && now - this.#marks[0][0] > RATE_S) this.#marks.shift();
    const [since, before] = this.#marks[0];
    const rate = now - since > 1 ? (offset - before) / (now - since) : 0;
    const values = { percent: this.percent, left: rate > 0 ? durationText((this.file.size - offset) / rate) : "" };
    this.say("going", text(rate > 0 ? "upload.going" : "upload.begun", values));
  }
}

export class Uploads {
  #waiting = [];
  #running = new Set();

  constructor(root) {
    this.root = root;
    this.form = root.querySelector("form");
    this.list = root.querySelector("[data-uploads]");
    const input = root.querySelector("[data-files]");
    const drop = root.querySelector(".upload-drop");
    input.addEventListener("change", () => {
      this.take(input.files);
      input.value = ""; // So that the same file can be chosen again.
    });
    for (const name of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.dataset.over = name === "dragover";
        if (name === "drop") this.take(event.dataTransfer.files);
      });
    }
    this.form.elements.unit?.addEventListener?.("change", () => this.#offerFaces());
    this.#offerFaces();
    window.addEventListener("beforeunload", (event) => {
      if (this.#running.size) event.preventDefault();
    });
  }

  take(files) {
    const wishes = this.#wishes();
    for (const file of files) {
      const row = new Row(file, this.list);
      if (file.size === 0) row.say("failed", text("upload.empty"));
      else if (file.size > Number(this.root.dataset.most)) row.say("failed", text("upload.too_big"));
      else this.#waiting.push(this.#upload(file, row, wishes));
    }
    this.#next();
  }

  /** Only where an admin has switched that on for the unit that is chosen. */
  #offerFaces() {
    const { unit, faces } = this.form.elements;
    const isOn = this.form.dataset.faces.split(" ").includes(unit?.value);
    faces.disabled = !isOn;
    faces.checked &&= isOn;
    const hint = this.form.querySelector("[data-faces-off]");
    if (hint) hint.hidden = isOn;
  }

  #wishes() {
    const { unit, per_s: perS, poses, faces } = this.form.elements;
    return { unit: unit?.value ?? "", per_s: perS.value, poses: poses.checked ? "1" : "0", faces: faces.checked ? "1" : "0" };
  }

  #upload(file, row, wishes) {
    const upload = new Upload({
      file, wishes, endpoint: this.root.dataset.upload, token: this.form.elements.csrfmiddlewaretoken.value,
      on: {
        progress: (offset) => row.progress(offset),
        lost: () => row.say("lost", text("upload.lost", { percent: row.percent })),
        checked: () => row.say("checked", text("upload.checked")),
      },
    });
    row.element.querySelector("button").addEventListener("click", async ({ target }) => {
      target.disabled = true;
      this.#waiting = this.#waiting.filter((each) => each.upload !== upload);
      row.isCancelled = true;
      await upload.cancel();
      row.say("done", text("upload.cancelled"));
      document.body.dispatchEvent(new Event("omil:changed"));
    });
    return { upload, row };
  }

  #next() {
    while (this.#running.size < AT_ONCE && this.#waiting.length) {
      const { upload, row } = this.#waiting.shift();
      this.#running.add(upload);
      upload.run().then(
        () => row.say("done", text("upload.done")),
        (error) => { if (!row.isCancelled) row.say("failed", error.constructor.name === "RefusedError" ? error.message : text("upload.failed")); },
      ).finally(() => {
        this.#running.delete(upload);
        document.body.dispatchEvent(new Event("omil:changed"));
        this.#next();
      });
    }
  }
}
