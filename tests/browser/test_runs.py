"""Runs on their page: a table checked, begun, retried and fetched; a recipe from its form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from scripts.screenshots import studio
from studio.words import say

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A studio with no other runs and jobs."""
    with studio() as url:
        yield url


def run_card(page: Page, name: str) -> Locator:
    return page.locator("#runs .card").filter(has=page.locator(".subject", has_text=name)).first


def runs(url: str) -> list[str]:
    """Which runs there are; how far they are changes while one looks."""
    return [run["id"] for run in httpx.get(f"{url}/api/v1/runs").raise_for_status().json()]


def bring(page: Page, url: str, table: Path) -> None:
    page.goto(f"{url}/runs")
    page.set_input_files("#run-table input[type=file]", table)
    expect(page.locator("#run-table")).to_contain_text(table.stem)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two rows that are right, and one that is not."""
    path = tmp_path / "stars.csv"
    path.write_text("prompt,seed\na {red|blue} star,1\na green star,many\n", encoding="utf-8")
    return path


def test_where_nothing_was_begun_the_page_says_what_runs_are_for(
    browser: Browser, url: str
) -> None:
    page = browser.new_page(locale="de")
    page.set_default_timeout(60_000)
    page.goto(f"{url}/runs")
    expect(page.locator("#runs .empty")).to_contain_text(say("runs.empty.how", "de"))
    page.click("#run-recipe input")
    page.get_by_role("option", name="Stiltafel").click()
    expect(page.locator("#field-subject")).to_contain_text("Was jedes Bild zeigt.")
    page.close()


def test_a_table_is_checked_begun_and_its_results_fetched(
    page: Page, url: str, table: Path
) -> None:
    bring(page, url, table)
    page.click("#run-check")
    expect(page.locator("#runs-said")).to_contain_text(say("runs.checked", count=2))
    expect(page.locator("#runs-said li")).to_contain_text("3")
    assert httpx.get(f"{url}/api/v1/runs").json() == []

    page.click("#run-begin")
    expect(page.locator("#runs-said .problem")).to_contain_text("3")
    assert httpx.get(f"{url}/api/v1/runs").json() == []

    page.get_by_label(say("runs.skip")).check()
    page.click("#run-begin")
    stars = run_card(page, "stars")
    expect(stars).to_have_attribute("data-state", "done")
    expect(stars).to_contain_text(say("runs.done", done=2, total=2))

    with page.expect_download() as download:
        stars.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    assert [row["state"] for row in rows] == ["done", "done"]
    with page.expect_download() as download:
        stars.get_by_role("link", name="JSONL").click()
    lines = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [line["artifact"] for line in lines] == [row["artifact"] for row in rows]
    assert httpx.get(url + lines[0]["file"]).headers["content-type"] == "image/png"

    stars.get_by_role("button", name=say("runs.sheet.label", name="stars")).click()
    expect(page.locator("#runs-told")).to_contain_text(say("runs.sheet.ordered"))
    assert httpx.get(f"{url}/api/v1/jobs").json()[0]["task"] == "contact-sheet"

    page.goto(url)
    sheet = page.locator("#work-finished .card", has_text="Contact sheet").first
    expect(sheet).to_contain_text("stars")
    expect(sheet.locator("img")).to_have_count(1)

    page.goto(f"{url}/runs")
    stars.get_by_role("link", name=say("runs.open")).click()
    expect(page.locator("#runs .rows li")).to_have_count(2)
    first = page.locator("#runs .rows li").first.get_by_role("link")
    before = first.get_attribute("href")
    page.get_by_role("button", name=say("runs.redo.label", step="make", row=1)).click()
    expect(first).not_to_have_attribute("href", before or "")
    first.click()
    page.wait_for_url("**/gallery?show=*")


def test_old_runs_and_many_rows_are_a_page_further(page: Page, url: str) -> None:
    order = '[2, {"prompt": "a star", "steps": 1}]\n'
    begun = []
    for number in range(31):
        plan = {"name": f"run {number}", "task": "text-to-image"}
        answer = httpx.post(f"{url}/api/v1/runs", content=f"{json.dumps(plan)}\n{order}")
        begun.append(answer.raise_for_status().json()["run"]["id"])
    page.goto(f"{url}/runs")
    expect(page.locator("#runs .card")).to_have_count(30)
    page.get_by_role("link", name=say("runs.older")).click()
    expect(run_card(page, "run 0")).to_be_visible()
    page.get_by_role("link", name=say("runs.newest")).click()
    expect(run_card(page, "run 30")).to_be_visible()
    # The next test is not to wait for them.
    for one in begun:
        httpx.post(f"{url}/api/v1/runs/{one}/stop")


def test_a_run_is_stopped_and_taken_up_again_from_its_own_address(
    page: Page, url: str, tmp_path: Path
) -> None:
    table = tmp_path / "moons.jsonl"
    table.write_text('{"prompt": "a gray moon", "count": 16, "steps": 50}\n' * 3)
    bring(page, url, table)
    page.click("#run-begin")
    page.locator("#runs-said a").click()
    page.wait_for_url("**/runs?run=*")
    moons = run_card(page, "moons")
    moons.get_by_role("button", name=say("runs.stop.label", name="moons")).click()
    expect(moons).to_have_attribute("data-state", "stopped")
    moons.get_by_role("button", name=say("runs.resume.label", name="moons")).click()
    expect(moons).to_have_attribute("data-state", "running")
    moons.get_by_role("button", name=say("runs.stop.label", name="moons")).click()
    expect(moons).to_have_attribute("data-state", "stopped")


def test_a_recipe_begins_from_the_form_of_its_inputs(page: Page, url: str) -> None:
    page.goto(f"{url}/runs")
    page.click("#run-recipe input")
    page.get_by_role("option", name="Style board").click()
    page.fill("#field-subject textarea, #field-subject input", "a red boat")
    page.click("#recipe-begin")
    page.locator("#runs-said a").click()
    page.wait_for_url("**/runs?run=*")
    expect(page.locator("#runs .card")).to_have_attribute("data-state", "done")
    expect(page.locator("#runs .rows a")).to_have_count(4)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("orders.txt", "prompt\na star\n"),
        ("twice.csv", "prompt,prompt\na,b\n"),
        ("empty.csv", "prompt\n"),
        ("paths.yaml", "- prompt: '{files:../../*}'\n"),
    ],
)
def test_a_table_that_is_none_is_explained_and_begins_nothing(
    page: Page, url: str, tmp_path: Path, name: str, content: str
) -> None:
    before = runs(url)
    (tmp_path / name).write_text(content, encoding="utf-8")
    bring(page, url, tmp_path / name)
    page.click("#run-begin")
    expect(page.locator("#runs-said .problem .hint")).to_be_visible()
    assert runs(url) == before


def test_somebody_elses_run_is_not_there(page: Page, url: str) -> None:
    page.goto(f"{url}/runs?run={'0' * 32}")
    expect(page.locator("#runs .problem")).to_be_visible()
