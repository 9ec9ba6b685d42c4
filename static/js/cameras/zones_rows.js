// The rows of the zones' table, which is a Django formset: what is drawn is read from them and written into them.

const MOST_ZONES = 32;

export class Row {
  constructor(element) {
    this.element = element;
    this.nameInput = this.#field("name");
    this.kindInput = this.#field("kind");
    this.loiterInput = this.#field("loiter_s");
    this.pointsInput = this.#field("points");
    this.deleteInput = this.#field("DELETE");
    this.turnButton = element.querySelector("[data-turn]");
  }

  #field(name) {
    return this.element.querySelector(`[name$="-${name}"]`);
  }

  get id() {
    return this.nameInput.name;
  }

  get name() {
    return this.nameInput.value;
  }

  get kind() {
    return this.kindInput.value;
  }

  get isDeleted() {
    return this.deleteInput.checked;
  }

  get hasErrors() {
    return this.element.querySelector(".errorlist") !== null;
  }

  /** Empty while what is written there is none. */
  get points() {
    try {
      const points = JSON.parse(this.pointsInput.value);
      const isGood = Array.isArray(points) && points.every((point) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite));
      return isGood ? points : [];
    } catch {
      return [];
    }
  }

  set points(points) {
    this.pointsInput.value = JSON.stringify(points);
  }
}

export class Rows {
  #body;
  #template;
  #total;
  #none;
  #on = { select() {}, change() {} };

  constructor(root) {
    this.#body = root.querySelector("[data-rows]");
    this.#template = root.querySelector("template[data-row]");
    this.#total = root.querySelector("[name$=-TOTAL_FORMS]");
    this.#none = root.querySelector("[data-none]");
    this.all = [...this.#body.querySelectorAll("[data-zone]")].map((element) => this.#follow(new Row(element)));
  }

  on(handlers) {
    this.#on = handlers;
  }

  get shown() {
    return this.all.filter((row) => !row.isDeleted && row.points.length > 1);
  }

  get isFull() {
    return this.all.filter((row) => !row.isDeleted).length >= MOST_ZONES;
  }

  byId(id) {
    return this.all.find((row) => row.id === id) ?? null;
  }

  add(kind, points, name) {
    const number = Number(this.#total.value);
    const fragment = this.#template.content.cloneNode(true);
    for (const element of fragment.querySelectorAll("[name]")) {
      element.name = element.name.replace("__prefix__", number);
      element.id = element.id.replace("__prefix__", number);
    }
    this.#total.value = number + 1;
    this.#body.append(fragment);
    const row = this.#follow(new Row(this.#body.lastElementChild));
    row.kindInput.value = kind;
    row.points = points;
    row.nameInput.value = this.#freeName(name);
    this.all.push(row);
    return row;
  }

  #freeName(name) {
    const taken = new Set(this.all.map((row) => row.name));
    let number = 1;
    while (taken.has(`${name} ${number}`)) number += 1;
    return `${name} ${number}`;
  }

  #follow(row) {
    row.element.addEventListener("focusin", () => this.#on.select(row));
    row.element.addEventListener("input", () => this.#on.change());
    row.turnButton.addEventListener("click", () => {
      row.points = row.points.reverse();
      this.#on.change();
    });
    return row;
  }

  /** Only an area has a time to loiter, only a line a direction to turn. */
  show(selected) {
    this.#none.hidden = this.all.length > 0;
    for (const row of this.all) {
      row.element.classList.toggle("selected", row === selected);
      row.element.classList.toggle("deleted", row.isDeleted);
      row.loiterInput.disabled = row.kind !== "area";
      row.turnButton.hidden = row.kind !== "line";
    }
  }
}
