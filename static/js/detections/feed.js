// A list of visits that follows what happens: new ones come on top, known ones change, the oldest go.

import { clockText, durationText, text } from "../lib/texts.js";

export class Feed {
  #template = document.querySelector("[data-visit-template]");

  /** `nameOf` gives a camera's name by its slug. Without a template the list changes but does not grow. */
  constructor(select, { nameOf = () => "", limit = Infinity, onGrow = () => {} } = {}) {
    Object.assign(this, { select, nameOf, limit, onGrow });
  }

  get #list() {
    return document.querySelector(this.select);
  }

  #find(id) {
    return this.#list.querySelector(`[data-visit="${CSS.escape(id)}"]`);
  }

  visit({ event, camera, visit }) {
    let item = this.#find(visit.id);
    if (!item) {
      if (!this.#template) return event === "started" ? this.onGrow() : undefined;
      item = this.#create(camera, visit);
      if (!item.isConnected) return;
      this.onGrow();
    }
    this.#update(item, visit, event);
  }

  /** Times of people who are there go on. */
  tick(now) {
    for (const item of this.#list.querySelectorAll('[data-state="present"]')) {
      this.#write(item.querySelector("[data-duration]"), durationText(now - Number(item.dataset.firstSeen)));
    }
  }

  #create(camera, visit) {
    const item = this.#template.content.firstElementChild.cloneNode(true);
    Object.assign(item.dataset, { visit: visit.id, camera, firstSeen: visit.first_seen });
    item.querySelector("a").href = this.#template.dataset.url.replace(/[0-9a-f-]{36}/, visit.id);
    item.querySelector("[data-camera-name]").textContent = this.nameOf(camera);
    const when = item.querySelector("[data-when]");
    when.textContent = clockText(visit.first_seen);
    when.dateTime = new Date(visit.first_seen * 1000).toISOString();
    const items = [...this.#list.children];
    const later = items.find((each) => Number(each.dataset.firstSeen) <= visit.first_seen);
    if (!later && items.length >= this.limit) return item; // Older than everything a full list shows.
    this.#list.insertBefore(item, later ?? null);
    for (const old of [...this.#list.children].slice(this.limit)) old.remove();
    return item;
  }

  #update(item, visit, event) {
    Object.assign(item.dataset, { state: visit.state, settled: visit.settled, lastSeen: visit.last_seen });
    const key = visit.state === "ended" && visit.end_reason ? visit.end_reason : visit.state;
    this.#write(item.querySelector("[data-word]"), text(`visit.${key}`));
    item.querySelector("[data-settled-mark]").hidden = !visit.settled;
    item.querySelector("[data-unverified]").hidden = visit.verified;
    if (visit.state !== "present") {
      this.#write(item.querySelector("[data-duration]"), durationText(visit.last_seen - visit.first_seen));
    }
    if (visit.picture) this.#show(item, visit.picture, event);
    if (event !== "current") {
      item.dataset.fresh = event;
      item.addEventListener("animationend", () => delete item.dataset.fresh, { once: true });
    }
  }

  /** The best picture may have become a better one by the time the visit settles or ends. */
  #show(item, url, event) {
    const frame = item.querySelector(".visit-picture");
    let image = frame.querySelector("img");
    if (image && event !== "settled" && event !== "ended") return;
    if (!image) {
      image = new Image();
      image.alt = "";
      image.loading = "lazy";
      image.addEventListener("error", () => image.remove());
      frame.append(image);
    }
    image.src = event === "settled" || event === "ended" ? `${url}?${event}` : url;
  }

  #write(element, value) {
    if (element.textContent !== value) element.textContent = value;
  }
}
