"""Take pictures of the pages as they are: `python -m scripts.screenshots FOLDER`.

Starts a studio with an empty home, makes a picture and verifies it, on a desk and on a phone, in
light and in dark. The README's picture is `desk-light.png`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx
from playwright.sync_api import Browser, ViewportSize, sync_playwright

#: A browser that talks to nobody but the studio.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A microphone that hums, so that recording can be tried.
    "--use-fake-device-for-media-stream",
]
SCREENS: dict[str, ViewportSize] = {
    "desk": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 844},
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: Every page, and what is on it once it is drawn.
READY = {
    "/": "#work-finished :is(.card, .empty)",
    "/talk": "#talk-shown :is(.empty, .talk)",
    "/queue": "#queue-line :is(.card, .empty)",
    "/runs": "#runs :is(.card, .empty)",
    "/models": "#models-shelf .card",
    "/verify": "#verify-found .empty",
    "/settings": "#settings-checked li",
    "/gallery": "#gallery :is(.empty, img)",
    "/help": "#about h2",
}
#: What is made, and how many of it.
ORDERS = {"a big yellow star, purple background": 4, "a red circle above a blue square": 1}
#: What is made in one run.
TABLE = ("a green heart", "a white moon, blue background")


def chromium() -> str | None:
    """Where the system's Chromium is, if it has one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


def main() -> None:
    """Take every picture."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with studio() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for screen, size in SCREENS.items():
            for scheme in SCHEMES:
                _visit(browser, url, size, scheme, out / f"{screen}-{scheme}")
        browser.close()


def _visit(
    browser: Browser, url: str, size: ViewportSize, scheme: Literal["light", "dark"], out: Path
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)
    context.add_init_script("localStorage.setItem('toured', 'yes')")
    page = context.new_page()
    page.set_default_timeout(90_000)
    # What is there before Gradio: its scripts do not come this once.
    page.route("**/assets/*.js", lambda route: route.abort())
    page.goto(url)
    page.wait_for_selector("#early")
    page.screenshot(path=f"{out}-early.png")
    page.unroute_all()
    page.goto(url)
    page.wait_for_selector("#make")
    page.wait_for_selector("#work :is(.empty, .card)")
    page.screenshot(path=f"{out}-first.png")
    for prompt, count in ORDERS.items():
        made = page.locator("#work-finished .card").count()
        page.fill("#field-prompt textarea", prompt)
        page.fill("#field-count input[type=number]", str(count))
        page.click("#make")
        if count > 1:
            page.wait_for_selector("canvas[data-rgb]")
            page.screenshot(path=f"{out}-making.png")
        page.wait_for_function(
            "made => document.querySelectorAll('#work-finished .card').length > made", arg=made
        )
    # Those further down are loaded when somebody scrolls there.
    page.wait_for_function("document.querySelector('.output img').complete")
    page.locator("button[data-action=verify]").first.click()
    page.wait_for_selector(".verdict")
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=f"{out}.png")
    page.screenshot(path=f"{out}-whole.png", full_page=True)
    begin_run(url)
    for path, ready in list(READY.items())[1:]:
        page.goto(url + path)
        page.locator(ready).first.wait_for()
        page.screenshot(path=f"{out}-{path[1:]}.png", full_page=True)
    page.goto(f"{url}/gallery")
    page.locator(".tile a").first.click()
    page.wait_for_selector(".detail img")
    page.screenshot(path=f"{out}-detail.png", full_page=True)
    context.close()


def begin_run(url: str) -> None:
    """Begin a run of the `TABLE` in the studio at `url`."""
    plan = {"name": "stickers", "task": "text-to-image"}
    rows = [[number, {"prompt": prompt}] for number, prompt in enumerate(TABLE, 2)]
    body = "\n".join(json.dumps(line) for line in [plan, *rows])
    httpx.post(f"{url}/api/v1/runs", content=body, trust_env=False).raise_for_status()


@contextmanager
def studio(**settings: str) -> Iterator[str]:
    """`studio up` with an empty home and these `STUDIO_*` settings: its address."""
    with tempfile.TemporaryDirectory() as folder:
        given = {"HOME": f"{folder}/home", "PORT": "0", **settings}
        environment = os.environ | {f"STUDIO_{name}": value for name, value in given.items()}
        command = [sys.executable, "-m", "studio", "up"]
        with subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline().removeprefix("Colophon is at ").strip()
            finally:
                process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
