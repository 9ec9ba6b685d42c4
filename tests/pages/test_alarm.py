"""The alarm of the storage on a page that stays open."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import VisitPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.mark.parametrize(("at_first", "then"), [("", "It is full."), ("It is full.", ""), ("Full.", "Missing.")])
def test_an_open_page_shows_what_has_become_of_the_storage(
    visit_page: VisitPage, monkeypatch: pytest.MonkeyPatch, at_first: str, then: str
) -> None:
    """Told first to the page itself, then to its script, which asks when the tab is shown again."""
    words = iter([at_first, then])
    monkeypatch.setattr("omil.context.alarm.text", lambda: next(words))
    live = visit_page("/visits/", "/recordings/alarm.json")
    notice = live.page.locator("[data-alarm]")
    assert notice.is_visible() == bool(at_first)
    assert notice.inner_text().strip() == at_first
    live.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(notice).to_have_text(then, timeout=5_000)
    expect(notice).to_be_visible(visible=bool(then))
    assert notice.get_attribute("role") == "alert"
    assert live.problems == []
