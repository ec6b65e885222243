"""Media into the form: from an address, a file, a microphone, and under the brush."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def latest(url: str) -> dict[str, object]:
    jobs = httpx.get(f"{url}/api/v1/jobs", trust_env=False).json()
    return dict(jobs[0]["request"])


def finish(page: Page, prompt: str) -> None:
    page.click("#make")
    expect(page.locator(".card", has_text=prompt).first).to_have_attribute("data-state", "done")


def test_an_output_is_edited_from_its_address(page: Page, url: str, made: Path) -> None:
    artifacts = httpx.get(f"{url}/api/v1/artifacts", trust_env=False).json()
    artifact = artifacts[0]["id"]
    page.goto(f"{url}/?task=image-to-image&image={artifact}&prompt=a+yellow+circle")
    expect(page.locator("#field-image img")).to_have_js_property("naturalWidth", 512)
    shown = page.locator("#field-image img").get_attribute("src")
    assert shown is not None
    home = shown.partition("/page/")[0]
    for name in ("ledger.sqlite", "keys/leaf.pem", "jobs.sqlite", f"artifacts/{artifact[:2]}"):
        assert httpx.get(f"{home}/{name}", trust_env=False).status_code == 403, name
    # Another model takes the picture over, as what it is: an output of this studio.
    examples = page.locator(".hints", has_text="Examples").locator(".chip")
    expect(examples.filter(has_text="a red circle")).not_to_have_count(0)
    page.click("#field-model input")
    page.get_by_role("option", name="Starter scenes").click()
    # The form is drawn anew.
    expect(examples.first).to_contain_text("a white boat")
    expect(examples.filter(has_text="a red circle")).to_have_count(0)
    expect(page.locator("#field-image img")).to_have_js_property("naturalWidth", 512)
    finish(page, "a yellow circle")
    assert latest(url)["image"] == artifact
    assert latest(url)["model"] == "starter-scenes"


def test_a_picture_of_ones_own_is_painted_on(page: Page, url: str, made: Path) -> None:
    page.goto(f"{url}/?task=inpainting&prompt=a+green+star")
    page.set_input_files("#field-image input[type=file]", made)
    expect(page.locator("#field-image img")).to_have_js_property("naturalWidth", 512)
    mask = page.locator("#field-mask")
    # The picture is in the editor.
    expect(mask.get_by_role("button", name="Undo")).to_be_enabled()
    canvas = mask.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(across, down)
    page.mouse.down()
    page.mouse.move(across + 30, down + 30, steps=10)
    page.mouse.up()
    finish(page, "a green star")
    request = latest(url)
    assert request["image"] != request["mask"]


def test_without_a_picture_the_form_says_what_is_missing(page: Page, url: str) -> None:
    page.goto(f"{url}/?task=image-to-image&image={'0' * 32}&prompt=a+star")
    page.click("#make")
    expect(page.locator("#problem")).to_contain_text("image")


def test_the_button_can_be_pressed_from_the_moment_that_it_is_shown(page: Page, url: str) -> None:
    page.add_init_script("""
      const press = () => {
        const button = document.querySelector("#fields:has(.asked) #make");
        if (!button || window.pressed || !button.checkVisibility({ visibilityProperty: true }))
          return;
        window.pressed = button.nodeName;
        button.click();
      };
      new MutationObserver(press).observe(document, { childList: true, subtree: true });
    """)
    page.goto(f"{url}/?task=image-to-image&prompt=a+star")
    expect(page.locator("#problem .banner")).to_contain_text("image: Field required")
    assert page.evaluate("window.pressed") == "BUTTON"


def test_a_task_from_the_menu_takes_nothing_over_from_the_form_before(page: Page) -> None:
    page.click("#task input")
    page.get_by_role("option", name="Image to image", exact=True).click()
    page.locator("#field-image input[type=file]").wait_for(state="attached")
    page.fill("#field-prompt textarea", "a star")
    page.click("#make")
    expect(page.locator("#problem .banner")).to_contain_text("image: Field required")
    expect(page.locator("#problem")).not_to_contain_text("Examples")


def test_what_is_to_be_written_down_is_recorded_in_the_form(page: Page, url: str) -> None:
    page.context.grant_permissions(["microphone"])
    page.goto(f"{url}/?task=automatic-speech-recognition")
    recorder, field = page.locator("#field-audio-microphone"), page.locator("#field-audio")
    recorder.get_by_role("button", name="Record").click()
    recorder.get_by_role("button", name="Stop").wait_for()
    page.wait_for_timeout(1500)
    recorder.get_by_role("button", name="Stop").click()
    expect(field).to_contain_text(".wav")
    page.click("#make")
    # Nothing that listens ships with the studio; what was recorded has come that far.
    expect(page.locator("#problem")).to_contain_text("is not installed")
