// Joins the live connection with the tiles and the list of visits of a page; the dashboard and a camera's page use it.

import { pageClock } from "../lib/page_clock.js";
import { Live } from "../lib/live.js";
import { socketUrl } from "../lib/protocol.js";
import { text } from "../lib/texts.js";
import { Tile, recordedIn } from "./tile.js";

const SETTLED_MS = 5_000; // Reloads are at least so far apart.
const LAMPS = { connecting: "warn", open: "good", waiting: "bad", refused: "bad" };

/**
 * Starts everything on `root`; `onChange` is called after every message that changed something, `onReturn` once the line
 * is back. Returns the tiles by slug
 * and `renew`, which takes the tiles that the server shows now.
 */
export function watch(root, { feed, onChange = () => {}, onReturn = () => {} }) {
  const tiles = new Map([...root.querySelectorAll("[data-tile]")].map((element) => [element.dataset.camera, new Tile(element)]));
  const held = new Map(); // Pictures of tiles that nobody sees: not answered, so that no others come.
  const now = pageClock(root.dataset.now);
  const line = document.querySelector("span[data-line]");
  let wasOpen = false;

  const live = new Live({
    url: socketUrl(root.dataset.socket),
    cameras: [...tiles.keys()],
    on: {
      state(state) {
        root.dataset.line = line.dataset.line = state;
        line.dataset.lamp = LAMPS[state];
        line.textContent = text(`line.${state}`);
        document.querySelector("[data-log-in]").hidden = state !== "refused";
        held.clear();
        if (state === "waiting" || state === "refused") for (const tile of tiles.values()) tile.forget();
        // What happened while the line was down is read again from the server.
        if (state === "open" && wasOpen) {
          document.querySelector("[data-feed]")?.dispatchEvent(new Event("omil:reconnected"));
          onReturn();
        }
        wasOpen ||= state === "open";
        onChange();
      },
      camera(message) {
        tiles.get(message.camera)?.status(message);
        onChange();
      },
      tracks: (message) => tiles.get(message.camera)?.tracks(message),
      visit(message) {
        tiles.get(message.camera)?.visit(message);
        feed.visit(message);
        onChange();
      },
      recording: (message) => tiles.get(message.camera)?.recording(message),
      error({ code }) {
        // A camera that was here a moment ago is not the user's any more: the page has to be another one.
        if (code === "not_found") setTimeout(() => location.reload(), Math.max(0, SETTLED_MS - performance.now()));
      },
      async picture(picture) {
        const tile = tiles.get(picture.camera);
        if (tile && !tile.isInView) return held.set(picture.camera, picture);
        try {
          await tile?.picture(picture);
        } catch {
          if (tile) tile.element.dataset.broken = picture.seq; // The next one may be whole.
        }
        live.acknowledge(picture);
      },
    },
  });

  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      tiles.get(target.dataset.camera).isInView = isIntersecting;
      const picture = held.get(target.dataset.camera);
      if (!isIntersecting || !picture) continue;
      held.delete(target.dataset.camera);
      live.acknowledge(picture); // It is old by now: shown is the next one.
    }
  });
  for (const tile of tiles.values()) observer.observe(tile.element);

  function renew(elements) {
    const wanted = new Map([...elements].map((element) => [element.dataset.camera, element]));
    if (live.state === "open") for (const [slug, element] of wanted) tiles.get(slug)?.recorded(recordedIn(element));
    const gone = [...tiles.keys()].filter((slug) => !wanted.has(slug));
    const added = [...wanted.keys()].filter((slug) => !tiles.has(slug));
    if (gone.length + added.length === 0) return;
    for (const slug of gone) {
      observer.unobserve(tiles.get(slug).element);
      tiles.get(slug).element.remove();
      tiles.delete(slug);
    }
    for (const slug of added) tiles.set(slug, new Tile(document.importNode(wanted.get(slug), true)));
    const grid = root.querySelector("[data-tiles]");
    for (const slug of wanted.keys()) grid.append(tiles.get(slug).element); // In the server's order.
    for (const slug of added) observer.observe(tiles.get(slug).element);
    live.watch([...tiles.keys()]);
    onChange();
  }
  setInterval(() => {
    const seconds = now();
    for (const tile of tiles.values()) tile.tick(seconds);
    feed.tick(seconds);
  }, 500);
  live.connect();
  return { tiles, renew };
}
