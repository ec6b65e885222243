"""What a tab holds on to: nothing once it is closed, and no worker once its job is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from studio.job import JobState
from tests.api.conftest import Server, serve
from tests.fake_lane import FakeLane
from tests.hosts import SMALL, settings_for

pytestmark = pytest.mark.browser

#: Seconds that each step of the lane takes, and how many there are.
STEP, STEPS = 1.0, 120
#: Seconds until a page has looked for itself, on a machine that is slow.
SOON = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio with its page, in this process: so that it can be seen from within."""
    home = tmp_path_factory.mktemp("tabs") / "home"
    yield from serve(settings_for(home), page=True, steps=STEPS, seconds=STEP)


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, open."""
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(server.url)
    page.wait_for_selector("#make")
    yield page
    page.close()


def order(server: Server, prompt: str) -> str:
    with server.client() as client:
        answer = client.post("text-to-image", json={**SMALL, "prompt": prompt})
    return str(answer.raise_for_status().json()["id"])


def state(server: Server, job: str) -> str:
    with server.client() as client:
        return str(client.get(f"jobs/{job}").raise_for_status().json()["state"])


def soon(true: Callable[[], object]) -> bool:
    """Whether it becomes true before long."""
    until = time.monotonic() + SOON
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return bool(true())


def test_a_closed_tab_frees_its_handler_and_leaves_the_job_running(
    tab: Page, server: Server
) -> None:
    job = order(server, "a closed tab")
    watched = server.host.dispatcher.watchers.watched
    expect(tab.locator(".card .stage")).to_contain_text("tep")
    assert watched(job)
    tab.close()
    assert soon(lambda: not watched(job))
    assert state(server, job) == JobState.RUNNING
    with server.client() as client:
        client.delete(f"jobs/{job}").raise_for_status()


def test_stop_frees_the_worker_within_a_step(tab: Page, server: Server) -> None:
    lane = server.host.lanes[0]
    assert isinstance(lane, FakeLane)
    job = order(server, "a stopped job")
    expect(tab.locator(".card .stage").first).to_contain_text("tep")
    order(server, "the next job")
    begun = len(lane.batches)
    tab.get_by_role("button", name="Stop making a stopped job").click()
    assert soon(lambda: job in lane._unwanted or len(lane.batches) > begun)
    told = lane.told.count(job)
    assert soon(lambda: len(lane.batches) > begun)
    assert lane.told.count(job) - told <= 1
    assert state(server, job) == JobState.CANCELLED
