// Texts for scripts, already translated by the server: <template data-texts> holds one <span data-text="key"> each.

const texts = new Map();
for (const template of document.querySelectorAll("template[data-texts]")) {
  for (const element of template.content.querySelectorAll("[data-text]")) {
    texts.set(element.dataset.text, element.textContent.trim());
  }
}
const language = document.documentElement.lang || "en";
const plurals = new Intl.PluralRules(language);

/** The text of a key; `{name}` in it is replaced from `values`. */
export function text(key, values = {}) {
  return (texts.get(key) ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function hasText(key) {
  return texts.has(key);
}

/** The text of `key.one`, `key.other` … for a number. */
export function countText(key, count) {
  const exact = `${key}.${plurals.select(count)}`;
  return text(texts.has(exact) ? exact : `${key}.other`, { count });
}

const clockFormat = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export function clockText(unixSeconds) {
  return clockFormat.format(new Date(unixSeconds * 1000));
}

const dayFormat = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** The time of day, and the day too unless it is today. */
export function momentText(unixSeconds) {
  const moment = new Date(unixSeconds * 1000);
  return (moment.toDateString() === new Date().toDateString() ? clockFormat : dayFormat).format(moment);
}

/** 0:42, 12:03, 1:02:03. */
export function durationText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [first, ...rest] = parts[0] ? parts : parts.slice(1);
  return [first, ...rest.map((part) => String(part).padStart(2, "0"))].join(":");
}
