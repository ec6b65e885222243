"""The parts of the form that are folded away."""

from __future__ import annotations

from playwright.sync_api import Page

#: Gradio puts a field's value in once more, a frame after an unfolded part is there: over whatever
#: was typed before.
_FRAMES = """() => new Promise((done) => {
  const wait = (frames) => (frames ? requestAnimationFrame(() => wait(frames - 1)) : done());
  wait(5);
})"""


def unfold(page: Page, part: str, field: str) -> None:
    """Open a part of the form, such as `#advanced`, and wait until its `field` keeps what is typed
    into it.
    """
    page.click(f"{part} > button")
    page.locator(field).first.wait_for()
    page.evaluate(_FRAMES)
