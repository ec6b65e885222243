"""How soon the page is there beside bare Gradio: `python -m scripts.bench_page --json FILE`.

Both are served from this machine and opened in turn by one Chromium, each time by a visitor who
has never been here. The time runs from asking for the page: to its masthead being visible, which
comes with the page itself, before Gradio has begun; to a form in which words can be typed, ours or
Gradio's; and to the whole form, which the visitor's model and language decide and Gradio draws
last.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from scripts.results import Row, publish
from scripts.screenshots import FLAGS, chromium, studio

#: How often each page is opened, after once to warm up.
TIMES = 9

#: Milliseconds until something is visible, by the page's own clock: Playwright looks only twice a
#: second.
SEEN = """selector => new Promise(seen => {
  const look = () =>
    document.querySelector(selector)?.checkVisibility()
      ? seen(performance.now())
      : requestAnimationFrame(look);
  look();
})"""

BARE = """
import gradio as gr
with gr.Blocks() as page:
    prompt, press, out = gr.Textbox(elem_id="prompt"), gr.Button(), gr.Textbox()
    press.click(lambda text: text, prompt, out)
_, url, _ = page.launch(prevent_thread_lock=True, quiet=True)
print(url, flush=True)
page.block_thread()
"""


def main() -> None:
    """Measure, print a table, and write the rows where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="Where the results go.")
    out = parser.parse_args().json
    with studio() as ours, _bare() as bare, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        pages = {
            "bare": (bare, "#prompt textarea"),
            "page": (ours, "#masthead nav"),
            "words": (ours, ":is(#early, #field-prompt) textarea"),
            "form": (ours, "#make"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in pages}
        for turn in range(TIMES + 1):
            for name, (url, field) in pages.items():
                taken = _open(browser, url, field)
                if turn:
                    seconds[name].append(taken)
        outside = _outside(browser, ours)
        browser.close()
    bare_seconds, page_seconds, words_seconds, form_seconds = (
        statistics.median(seconds[one]) for one in pages
    )
    publish(
        [
            Row(
                "time until the page is visible / bare Gradio's",
                page_seconds / bare_seconds,
                "≤1.5",
                "×",
            ),
            Row(
                "time until words can be typed / bare Gradio's",
                words_seconds / bare_seconds,
                "≤1.5",
                "×",
            ),
            Row(
                "time until the whole form is there / bare Gradio's",
                form_seconds / bare_seconds,
                "≤1.5",
                "×",
            ),
            Row("time until the whole form is there, median", form_seconds, "≤3", "s"),
            Row("requests of the page to other servers", outside, "≤0", "requests"),
        ],
        out,
    )


def _open(browser: Browser, url: str, field: str) -> float:
    """Seconds until `field` is visible to a visitor who has never been here."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url, wait_until="commit")
    milliseconds = page.evaluate(SEEN, field)
    context.close()
    return float(milliseconds) / 1000


def _outside(browser: Browser, url: str) -> int:
    """How many requests one visit sends to any other server."""
    asked: list[str] = []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    page.wait_for_selector("#work :is(.empty, .card)")
    page.close()
    return sum(not one.startswith((url, "data:", "blob:")) for one in asked)


@contextmanager
def _bare() -> Iterator[str]:
    """The address of the least that Gradio can serve."""
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"}
    with subprocess.Popen(
        [sys.executable, "-c", BARE],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
