"""What `drawing.js` promises: a press is never lost, nor does it hit another than was meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import ui

pytestmark = pytest.mark.browser

#: A panel as Gradio has it: an element, its props, and whoever watches them.
PANEL = """
  window.props = {value: ""};
  window.element = document.body.appendChild(document.createElement("section"));
  const watchers = [];
  keepDrawn(element, props, (_, changed) => watchers.push(changed));
  window.show = (value) => { props.value = value; watchers.forEach((one) => one()); };
  window.presses = [];
  element.addEventListener("click", (event) => presses.push(event.target.dataset.id));
"""


@pytest.fixture
def panel(browser: Browser) -> Iterator[Page]:
    """A page with nothing but one panel."""
    page = browser.new_page()
    page.set_content("<body></body>")
    page.add_script_tag(path=Path(ui.__file__).parent / "drawing.js")
    page.evaluate(PANEL)
    yield page
    page.close()


def stops(*jobs: str) -> str:
    """Cards of jobs, each with its button."""
    card = "<article data-job={0}><button data-action=stop data-id={0}>Stop {0}</button></article>"
    return "".join(card.format(job) for job in jobs)


def show(page: Page, html: str) -> None:
    page.evaluate("html => show(html)", html)


def test_a_press_hits_what_it_was_meant_for_whatever_comes_between(panel: Page) -> None:
    show(panel, stops("a", "b"))
    panel.get_by_role("button", name="Stop b").hover()
    panel.mouse.down()
    show(panel, stops("c", "d", "b"))
    expect(panel.get_by_role("button", name="Stop a")).to_be_visible()
    panel.mouse.up()
    expect(panel.get_by_role("button", name="Stop d")).to_be_visible()
    assert panel.evaluate("presses") == ["b"]


def test_what_has_a_name_stays_the_same_node_and_keeps_the_focus(panel: Page) -> None:
    show(panel, stops("a", "b"))
    first = panel.get_by_role("button", name="Stop b").element_handle()
    panel.get_by_role("button", name="Stop b").focus()
    show(panel, "<p>New</p>" + stops("b", "c", "a"))
    assert panel.get_by_role("button").all_inner_texts() == ["Stop b", "Stop c", "Stop a"]
    expect(panel.get_by_role("button", name="Stop b")).to_be_focused()
    assert first.evaluate("node => node.isConnected")


def test_what_a_reader_unfolded_stays_so_and_new_values_are_shown(panel: Page) -> None:
    show(panel, "<details><summary>More</summary>old</details><input value=1 type=text>")
    panel.get_by_text("More").click()
    panel.get_by_role("textbox").fill("typed")
    show(panel, "<details><summary>More</summary>new</details><input value=1 type=text>")
    expect(panel.get_by_text("new")).to_be_visible()
    expect(panel.get_by_role("textbox")).to_have_value("typed")
    show(panel, "<input value=2 type=text>")
    expect(panel.get_by_role("textbox")).to_have_value("2")
    expect(panel.locator("details")).to_have_count(0)
