"""An operator's dashboard in a real browser, and an observer inside the page that notes when what became visible."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Browser, Page

from tests.flow import strip
from tests.product import ADMIN_PASSWORD, Product

# Notes every change of the tile with the number in the very picture shown and the extent of what is drawn over it, and
# the first sight of every visit. Times are the machine's, which browser and server share.
OBSERVE = f"""
(slug) => {{
  {strip.CODE_IN_CANVAS}
  const tile = document.querySelector(`[data-tile][data-camera="${{slug}}"]`);
  const picture = tile.querySelector("[data-picture]");
  const overlay = tile.querySelector("[data-overlay]");
  const seen = (window.seen = {{ pictures: [], visits: {{}} }});
  const drawn = () => {{
    const {{ data, width, height }} = overlay.getContext("2d").getImageData(0, 0, overlay.width, overlay.height);
    let [left, right, bottom] = [Infinity, -1, -1];
    for (let at = 3; at < data.length; at += 4) {{
      if (data[at] < 64) continue;
      const x = ((at - 3) / 4) % width;
      [left, right, bottom] = [Math.min(left, x), Math.max(right, x + 1), Math.floor((at - 3) / 4 / width) + 1];
    }}
    if (right < 0) return null;
    const scale = Math.min(width / picture.width, height / picture.height);
    const inX = (x) => (x - (width - picture.width * scale) / 2) / (picture.width * scale);
    const inY = (y) => (y - (height - picture.height * scale) / 2) / (picture.height * scale);
    return [inX(left), inX(right), inY(bottom)];
  }};
  new MutationObserver(() => {{
    const [seq, boxes] = [Number(tile.dataset.seq), Number(tile.dataset.boxes)];
    seen.pictures.push({{ at: Date.now() / 1000, seq, boxes, code: codeIn(picture), drawn: drawn() }});
  }}).observe(tile, {{ attributes: true, attributeFilter: ["data-seq", "data-boxes"] }});
  const note = () => {{
    for (const {{ dataset }} of document.querySelectorAll(`[data-feed] [data-visit][data-camera="${{slug}}"]`)) {{
      seen.visits[dataset.visit] ??= Date.now() / 1000;
    }}
  }};
  new MutationObserver(note).observe(document.body, {{ childList: true, subtree: true }});
  note();
}}
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """The tile from this moment on. `number` is that of the frame in the picture, and `drawn` are left, right and
    bottom, relative to it, of what is painted over it."""

    at: float
    seq: int
    boxes: int
    number: int | None
    drawn: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Sights:
    """What the observer noted: the tile's changes in order, and when each visit was first in the list."""

    pictures: list[Shown]
    visits: dict[str, float]

    def first_boxes(self, after: float) -> float:
        """When boxes were first shown after this time."""
        return next(shown.at for shown in self.pictures if shown.at >= after and shown.boxes)

    def most_boxes(self, start: float, end: float) -> int:
        """The most boxes at any moment between these times."""
        until = [shown.at for shown in self.pictures[1:]] + [float("inf")]
        spans = zip(self.pictures, until, strict=True)
        return max((shown.boxes for shown, over in spans if shown.at < end and over > start), default=0)


def open_dashboard(browser: Browser, product: Product, *, locale: str = "en-GB") -> Page:
    """Logged in as the admin; the page has a context of its own."""
    page = browser.new_context(locale=locale, viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{product.url}/login/")
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill(ADMIN_PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url(f"{product.url}/")
    page.wait_for_selector("[data-dashboard][data-line=open]")
    return page


def sights(page: Page) -> Sights:
    noted = page.evaluate("window.seen")
    pictures = [
        Shown(
            each["at"],
            each["seq"],
            each["boxes"],
            strip.number_of(each["code"]),
            (each["drawn"][0], each["drawn"][1], each["drawn"][2]) if each["drawn"] else None,
        )
        for each in noted["pictures"]
    ]
    return Sights(pictures, noted["visits"])
