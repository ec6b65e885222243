"""Vision-language models of the real classes, tiny and random: what families promise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.errors import InvalidRequest
from studio.families import Model, Order, Spec
from studio.families.transformers_vision import TransformersVision
from studio.testing import FamilyContract, Recorder
from studio.wording import CUT
from tests.vision import tiny

TASK = "visual-question-answering"


class _Vision(FamilyContract):
    family = TransformersVision()

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        return tiny.spec(request.param, tmp_path_factory.mktemp(request.param))

    @pytest.fixture(autouse=True)
    def pictures(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.folder = tmp_path_factory.mktemp("pictures")

    def spoil(self, model: Any) -> None:
        for parameter in model._model.parameters():
            parameter.data.fill_(float("nan"))


@pytest.mark.parametrize("spec", ["llava", "blip-2", "idefics3"], indirect=True)
class TestObserver(_Vision):
    """What every family promises; and that a greedy batch is its singles, word for word."""

    def order(self, number: int, **more: Any) -> Order:
        question = ("why", "what colour is the roof", "x")[number]
        asked = {"question": question, "max_tokens": 10, "temperature": 1.0, **more}
        return tiny.order(TASK, self.folder, number, **asked)

    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    def test_a_batch_writes_what_its_orders_write_alone(
        self, model: Model, temperature: float
    ) -> None:
        orders = [self.order(n, temperature=temperature, max_tokens=6 + n) for n in range(3)]
        progress = Recorder()
        together = [draft.facts["text"] for draft in model.generate(orders, progress)]
        alone = [next(iter(model.generate([one], Recorder()))).facts["text"] for one in orders]
        assert together == alone
        assert together == [progress.texts.get(n, "").strip() for n in range(3)]

    def test_what_is_asked_and_what_is_shown_both_count(self, model: Any) -> None:
        def scores(one: Order) -> torch.Tensor:
            with torch.inference_mode():
                told: torch.Tensor = model._model(
                    **model._inputs([one], [model._told(one)])
                ).logits[0, -1]
            return told

        first = scores(self.order(0))
        asked = scores(self.order(0, question="who"))
        shown = self.order(0)
        other = tiny.order(TASK, self.folder, 7, question="why")
        before = [{"role": "user", "content": "hm"}, {"role": "assistant", "content": "so"}]
        if model._processor.chat_template:
            after = self.order(0, history=json.dumps(before))
            assert not torch.allclose(first, scores(after))
        assert not torch.allclose(first, asked)
        assert not torch.allclose(first, scores(Order(**{**vars(shown), "inputs": other.inputs})))

    def test_of_what_was_said_before_as_much_is_heard_as_there_is_room(self, model: Any) -> None:
        long = "a" * model._window()
        said = [("user", long), ("assistant", long), ("user", "c"), ("assistant", "d")]
        history = json.dumps([{"role": role, "content": text} for role, text in said])
        order = self.order(0, history=history)
        if not model._processor.chat_template:
            with pytest.raises(InvalidRequest, match="no conversations"):
                list(model.generate([order], Recorder()))
            return
        (draft,) = model.generate([order], Recorder())
        assert draft.facts["made with"][0] == "without the oldest 2 turns of the conversation"

    def test_what_was_done_to_a_text_is_said(
        self, model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("studio.families.transformers_tokens.SHORTEST", 3)
        (short,) = model.generate([self.order(0, max_tokens=4)], Recorder())
        assert short.facts["made with"][0] == CUT
        keyed = replace(self.order(0, max_tokens=4), text_key="ab" * 16)
        (marked,) = model.generate([keyed], Recorder())
        assert marked.facts["made with"][-1] == "with a statistical mark in the choice of words"

    def test_a_picture_is_described_without_a_prompt(self, model: Model) -> None:
        (draft,) = model.generate(
            [tiny.order("image-to-text", self.folder, max_tokens=5)], Recorder()
        )
        assert draft.facts["usage"]["output_tokens"] <= 5

    def test_more_than_the_window_is_refused_with_its_count(self, model: Model) -> None:
        with pytest.raises(InvalidRequest, match=r"tokens long, and tiny reads 160"):
            list(model.generate([self.order(0, question="y" * 300)], Recorder()))

    def test_words_are_no_pictures(self, model: Model) -> None:
        (draft,) = model.generate([self.order(0, question="what is <image>?")], Recorder())
        assert draft.kind == "text"


@pytest.mark.parametrize("spec", ["clip", "siglip"], indirect=True)
class TestMatcher(_Vision):
    """What every family promises, of models that compare."""

    def order(self, number: int, **more: Any) -> Order:
        asked = {"labels": ["cat", "a dog", "the sea"], **more}
        return tiny.order("zero-shot-image-classification", self.folder, number, **asked)

    def test_labels_come_best_first_with_the_models_own_scores(self, model: Any) -> None:
        (draft,) = model.generate([self.order(0, format="json")], Recorder())
        found = json.loads(draft.facts["text"])
        scores = [one["score"] for one in found]
        assert {one["label"] for one in found} == {"cat", "a dog", "the sea"}
        assert scores == sorted(scores, reverse=True)
        if model._model.config.model_type == "clip":
            assert sum(scores) == pytest.approx(1, abs=1e-3)

    def test_pictures_are_ranked_as_they_score_alone(self, model: Model) -> None:
        names = [f"p{number}" for number in range(11)]
        asked = {"images": names, "format": "json"}
        together = tiny.order("image-ranking", self.folder, 0, **asked)
        (draft,) = model.generate([together], Recorder())
        found = {one["image"]: one["score"] for one in json.loads(draft.facts["text"])}
        assert found.keys() == set(names)
        # The tenth picture lies in the second round, and after the ninth.
        inputs = {"images.0": together.inputs["images.9"], "images.1": together.inputs["images.10"]}
        request = {**together.request, "images": ["p9", "p10"]}
        pair = Order("job", 0, "image-ranking", request, 0, inputs)
        (draft,) = model.generate([pair], Recorder())
        for one in json.loads(draft.facts["text"]):
            assert one["score"] == pytest.approx(found[one["image"]], abs=2e-4)

    def test_two_jobs_of_one_batch_do_not_get_mixed_up(self, model: Model) -> None:
        """Each is the first output of its own."""
        one, other = self.order(0), self.order(1, labels=["roof", "a boat"])
        batch = [one, replace(other, job="another", index=0)]
        for draft, order in zip(model.generate(batch, Recorder()), batch, strict=True):
            (alone,) = model.generate([order], Recorder())
            assert draft.facts["text"] == alone.facts["text"]

    def test_a_label_over_the_window_is_refused(self, model: Model) -> None:
        with pytest.raises(InvalidRequest, match="reads 160"):
            list(model.generate([self.order(0, labels=["y" * 200, "z"])], Recorder()))


@pytest.mark.parametrize("name", ["llava", "blip-2", "idefics3", "clip", "siglip"])
def test_what_sees_does_so_in_bfloat16_too(tmp_path: Path, name: str) -> None:
    spec = replace(tiny.spec(name, tmp_path / "model"), dtype="bfloat16")
    model: Any = TransformersVision().load(spec, "cpu", "full")
    assert model._model.dtype is torch.bfloat16
    if name in ("clip", "siglip"):
        asked: dict[str, Any] = {"labels": ["cat", "a dog", "the sea"], "format": "json"}
        order = tiny.order("zero-shot-image-classification", tmp_path, **asked)
    else:
        order = tiny.order(TASK, tmp_path, question="why", max_tokens=4)
    (draft,) = model.generate([order], Recorder())
    assert draft.facts["text"]
    if name == "clip":
        scores = [one["score"] for one in json.loads(draft.facts["text"])]
        assert sum(scores) == pytest.approx(1, abs=1e-3), "shares lose too much in bfloat16"


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    import numpy as np

    from studio.draft import Draft
    from studio.families.transformers_matching import picture_of

    place = Draft("image", 0, 0, {"pixels": np.zeros((2, 2, 4), np.uint8)}).spool(tmp_path)
    assert picture_of(place).getpixel((0, 0)) == (255, 255, 255)
