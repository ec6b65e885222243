"""The page as a person meets it: the real studio, its starter model, and headless Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.screenshots import FLAGS, chromium, studio


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; where it is missing the tests are skipped, unless they were asked for."""
    executable = chromium()
    if executable is None:
        if os.environ.get("STUDIO_TEST_BROWSER") == "1":
            pytest.fail("Chromium is not installed, and the browser tests were asked for")
        pytest.skip("Chromium is not installed; `./scripts/test --with-browser` installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        # Timings belong in benchmarks: a slow machine is no reason to fail.
        expect.set_options(timeout=60_000)
        yield browser
        browser.close()


#: The largest file that the tests' studio takes, in bytes; and the token of the guarded one.
LARGEST = 5_000_000
TOKEN = "a long and random secret"


@pytest.fixture(scope="package")
def url() -> Iterator[str]:
    """The address of `studio up`, begun with an empty home.

    Modules share it, for a start costs as much as many tests. One that counts what there is, or
    needs nobody else in line, has a studio of its own under the same name.
    """
    with studio(MAX_UPLOAD_BYTES=str(LARGEST)) as url:
        yield url


@pytest.fixture(scope="package")
def guarded() -> Iterator[str]:
    """The address of a studio that lets in whoever has the `TOKEN`."""
    with studio(TOKEN=TOKEN) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A fresh visitor on the page. Nothing may be asked of any other server, and no script fail."""
    requests: list[str] = []
    errors: list[str] = []
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(60_000)
    context.on("request", lambda request: requests.append(request.url))
    context.on("weberror", lambda error: errors.append(str(error.error)))
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#make")
    yield page
    context.close()
    assert requests
    assert [one for one in requests if not one.startswith((url, "data:", "blob:"))] == []
    assert errors == []


@pytest.fixture(scope="module")
def made(browser: Browser, url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, made and downloaded through the page."""
    page = browser.new_page(accept_downloads=True)
    page.set_default_timeout(60_000)
    page.goto(url)
    page.fill("#field-prompt textarea", "a blue circle")
    # Other modules may have asked for the same.
    jobs = httpx.get(f"{url}/api/v1/jobs", trust_env=False).json()
    older = "".join(f":not([data-job='{job['id']}'])" for job in jobs)
    page.click("#make")
    with page.expect_download() as download:
        card = page.locator(f"#work-finished .card{older}", has_text="a blue circle")
        card.get_by_text("Download").click()
    path = tmp_path_factory.mktemp("made") / download.value.suggested_filename
    download.value.save_as(path)
    page.close()
    return path
