"""An object in the page: turned with the arrow keys, in a viewer that comes from here."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from scripts.screenshots import studio
from tests.browser.test_media import make, output
from tests.objects import tiny
from tests.objects.test_sealed_objects import CARD

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio that has a tiny model of objects."""
    home = tmp_path_factory.mktemp("furnished") / "home"
    (home / "model_cards").mkdir(mode=0o700, parents=True)
    (home / "model_cards" / "tiny-sculptor.md").write_text(CARD)
    tiny.shap_e(home / "models" / "tiny-sculptor")
    with studio(HOME=str(home)) as url:
        yield url


@pytest.fixture(scope="module")
def thing(url: str) -> str:
    return make(url, "text-to-3d", prompt="a chair", seed=3, model="tiny-sculptor")[0]


@pytest.mark.parametrize("place", ["/", "/gallery?show={}"])
def test_an_object_is_loaded_and_turns(page: Page, url: str, thing: str, place: str) -> None:
    page.goto(url + place.format(thing))
    viewer = output(page, thing).locator("model-viewer")
    expect(viewer).to_have_attribute("alt", "AI-generated: a chair")
    viewer.scroll_into_view_if_needed()
    expect(viewer).to_have_js_property("loaded", True)
    turned = "one => one.getCameraOrbit().theta"
    before = viewer.evaluate(turned)
    viewer.evaluate("one => { one.cameraOrbit = '90deg 75deg auto'; one.jumpCameraToGoal(); }")
    assert viewer.evaluate(turned) != before
    file = httpx.get(f"{url}/api/v1/artifacts/{thing}/file")
    assert file.content[:4] == b"glTF"
