"""The training runs from the first stage to the last: twenty steps of each, which learn nothing but
prove the path.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from functools import reduce
from pathlib import Path

import evaluate
import pytest
import torch
from judge import scenes as judge
from loop import Budget, Loop
from pictures import GateClosed, gate, train
from recipe import PRESETS, SIZE, Run
from stages import autoencoder, denoiser, judging, text, upscaler, wordings
from supply import Order, Picked, Supply, make, sayings
from torch.nn import functional
from transformers import CLIPTokenizer
from world import sites
from world.colours import COLOURS
from world.objects import KINDS
from world.scene import NATURAL, held_out
from world.words import COLOUR_WORDS

pytestmark = pytest.mark.starter


def test_a_smoke_run_writes_a_pipeline_that_loads_and_draws(tmp_path: Path) -> None:
    from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel

    run = Run(tmp_path, torch.device("cpu"), PRESETS["smoke"])
    with pytest.raises(GateClosed, match="judge"):
        train(run)
    assert not json.loads((tmp_path / "judge" / "gate.json").read_text())["open"]
    run = replace(run, recipe=run.recipe.with_steps(judge=24))
    train(run, ignore_gates=True)
    learned = (tmp_path / "judge" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in learned] == [20, 24], "a longer one goes on"
    pipeline = StableDiffusionPipeline.from_pretrained(
        run.pipeline, dtype=torch.float32, use_safetensors=True
    )
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("a red cat", num_inference_steps=2, output_type="pt").images
    assert picture.shape == (1, 3, 128, 128)
    larger = AutoencoderTiny.from_pretrained(run.pipeline / "upscaler", dtype=torch.float32)
    assert upscaler.upscale(larger, picture).shape == (1, 3, 512, 512)
    assert "cat" in json.loads((run.pipeline / "vocabulary.json").read_text())["groups"]["objects"]
    told = pipeline.tokenizer(["3 kitties"], return_tensors="pt").input_ids
    known = pipeline.tokenizer(["three kittens"], return_tensors="pt").input_ids
    assert not torch.equal(told, known)
    assert torch.equal(pipeline.text_encoder(told)[0], pipeline.text_encoder(known)[0])
    record = json.loads((tmp_path / "denoiser" / "done.json").read_text())
    assert record["weights"]
    before = (tmp_path / "denoiser" / "log.jsonl").read_text()
    train(run, ignore_gates=True)
    assert (tmp_path / "denoiser" / "log.jsonl").read_text() == before, "a finished stage ran again"

    on = replace(run, folder=tmp_path / "on", begin=run.pipeline)
    with pytest.raises(GateClosed, match="judge"):
        train(on)
    assert not (on.folder / "judge" / "done.json").exists()
    train(on, ignore_gates=True)
    assert not (on.folder / "text" / "log.jsonl").exists(), "what is finished is taken over"
    assert (on.folder / "wordings" / "log.jsonl").exists(), "new words are for a finished one too"
    drawn = (on.pipeline / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    train(on, ignore_gates=True)
    again = (on.pipeline / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    assert drawn == again, "what is finished was begun again"
    for settings in on.pipeline.rglob("*.json"):
        assert str(tmp_path) not in settings.read_text("utf-8"), settings
    begun, trained = (
        UNet2DConditionModel.from_pretrained(one.pipeline / "unet", dtype=torch.float32)
        for one in (run, on)
    )
    pairs = list(zip(begun.parameters(), trained.parameters(), strict=True))
    assert any(not torch.equal(first, second) for first, second in pairs)
    # Twenty steps from there: not another one from nothing.
    assert max(float((first - second).detach().abs().max()) for first, second in pairs) < 0.05


def test_a_new_word_is_one_token_and_leaves_captions_what_they_were() -> None:
    before = CLIPTokenizer.from_pretrained(evaluate.SCENES / "tokenizer")
    new = ("giraffe", "catty", "redder", "seaside")
    assert all(len(before.tokenize(word)) > 1 for word in new)
    after = reduce(wordings.with_word, new, before)
    assert all(len(after.tokenize(word)) == 1 for word in new)
    _, captions = sayings(500, random.Random(8))
    assert [after(text).input_ids for text in captions] == [
        before(text).input_ids for text in captions
    ]


def test_what_two_texts_share_is_to_be_alike() -> None:
    end = 1
    # start a cat and a house end; start a cat left of a house end; both padded.
    said = [0, 5, 6, 9, 5, 7, end, end, end, end]
    meant = [0, 5, 6, 11, 12, 5, 7, end, end, end]
    assert wordings.places(said, meant, end) == [
        *((0, 0), (1, 1), (2, 2)),
        *((4, 5), (5, 6), (6, 7)),
        *((8, 8), (9, 9)),
    ]
    assert wordings.places(said, said, end) == [(place, place) for place in range(10)]


def test_a_deeper_denoiser_begins_by_drawing_what_the_shallower_one_draws(tmp_path: Path) -> None:
    smoke = PRESETS["smoke"]
    shallow = replace(smoke, shape=replace(smoke.shape, layers=(1, 1, 1)))
    torch.manual_seed(0)
    begun = denoiser.build(Run(tmp_path, torch.device("cpu"), shallow)).eval()
    for weight in begun.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    begun.save_pretrained(tmp_path / "unet")
    deeper = replace(smoke, shape=replace(smoke.shape, layers=(3, 1, 1)))
    grown = denoiser.build(Run(tmp_path, torch.device("cpu"), deeper, begin=tmp_path)).eval()
    assert len(list(grown.parameters())) > len(list(begun.parameters()))
    given = (torch.randn(2, 16, 16, 16), torch.tensor([3, 800]), torch.randn(2, 36, 32))
    with torch.no_grad():
        assert torch.equal(grown(*given).sample, begun(*given).sample)
    elsewhere = replace(smoke, shape=replace(smoke.shape, layers=(1, 2, 1)))
    with pytest.raises(ValueError, match="not a shallower one"):
        denoiser.build(Run(tmp_path, torch.device("cpu"), elsewhere, begin=tmp_path))


def test_a_model_that_is_begun_with_keeps_its_widths(tmp_path: Path) -> None:
    smoke = PRESETS["smoke"]
    shape = replace(smoke.shape, text_width=64, channels=(32, 64, 64))
    begun = denoiser.build(Run(tmp_path, torch.device("cpu"), replace(smoke, shape=shape)))
    begun.save_pretrained(tmp_path / "unet")
    on = denoiser.build(Run(tmp_path, torch.device("cpu"), smoke, begin=tmp_path))
    assert on.config.cross_attention_dim == 64
    assert on.config.block_out_channels == [32, 64, 64]
    other = denoiser.build(Run(tmp_path, torch.device("cpu"), smoke))
    with pytest.raises(ValueError, match="not a shallower one"):
        denoiser.continue_from(other, begun)


def test_only_the_judge_sees_what_is_withheld() -> None:
    seen, _, _ = make(Order(32, 7), 200)
    judged, _, _ = make(Order(32, 7, every_pair=True), 200)
    shown, known = (
        {(g.colour, g.kind) for one in order for g in one.groups} for order in (seen, judged)
    )
    assert not any(held_out(*pair) for pair in shown)
    assert any(held_out(*pair) for pair in known)


def test_an_interrupted_loop_ends_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    def weights_after(folder: Path, stop_at: int | None) -> torch.Tensor:
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 1)

        def step(number: int) -> torch.Tensor:
            if number == stop_at:
                raise KeyboardInterrupt
            return model(torch.randn(8, 4)).pow(2).mean()

        Loop("toy", folder, Budget(40, 8, 1e-2, 4), [model], checkpoint_every=10).run(step)
        return model.weight.detach()

    straight = weights_after(tmp_path / "straight", None)
    with pytest.raises(KeyboardInterrupt):
        weights_after(tmp_path / "broken", 25)
    assert torch.equal(weights_after(tmp_path / "broken", None), straight)


def test_a_finished_loop_goes_on_from_its_end(tmp_path: Path) -> None:
    model, done = torch.nn.Linear(4, 1), []

    def step(number: int) -> torch.Tensor:
        done.append(number)
        return model(torch.randn(8, 4)).pow(2).mean()

    for steps in (7, 7, 12):
        Loop("toy", tmp_path, Budget(steps, 8, 1e-2, 4), [model], checkpoint_every=5).run(step)
    assert done == list(range(12))


def test_a_stage_that_goes_on_sees_other_scenes_than_before(tmp_path: Path) -> None:
    seen: list[str] = []

    class Watched(Supply):
        def draw(self, count: int, number: int) -> Picked:
            picked = super().draw(count, number)
            seen.extend(picked[1])
            return picked

    smoke = PRESETS["smoke"]
    for steps in (3, 6):
        run = Run(tmp_path, torch.device("cpu"), smoke.with_steps(judge=steps))
        judging.train(run, Watched)
    assert len(seen) == 6 * smoke.judge.batch
    assert len(set(seen)) == len(seen)


def test_a_reel_that_goes_on_holds_other_films_than_before() -> None:
    import evaluate
    from film import Reel

    pipeline = evaluate.load(evaluate.MODEL)
    films = []
    for number in (0, 0, 250):
        reel = Reel(pipeline, capacity=1, seed=1)
        reel.shoot(1, number)
        films.append(reel.draw(1)[0])
    assert torch.equal(films[0], films[1])
    assert not torch.equal(films[0], films[2])


def test_a_diverging_loop_says_so(tmp_path: Path) -> None:
    model = torch.nn.Linear(1, 1)
    loop = Loop("toy", tmp_path, Budget(1, 1, 1e-2, 1), [model])
    with pytest.raises(FloatingPointError, match="toy"):
        loop.run(lambda _: model.weight.sum() * float("nan"))


def test_the_encoder_is_a_projection_that_a_linear_decoder_inverts_well(tmp_path: Path) -> None:
    """The computed encoder keeps what 16 principal components of 8 × 8 patches keep: over 25 dB."""
    run = Run(tmp_path, torch.device("cpu"), PRESETS["smoke"])
    vae = autoencoder.build(run)
    values = autoencoder.as_values(torch.from_numpy(make(Order(128, 5), 24)[2]))
    with torch.no_grad():
        latents = vae.encode(values).latents
    assert latents.shape == (24, 16, 16, 16)
    known = (
        torch.cat([latents, torch.ones_like(latents[:, :1])], dim=1)
        .permute(0, 2, 3, 1)
        .reshape(-1, 17)
    )
    patches = values.reshape(24, 3, 16, 8, 16, 8).permute(0, 2, 4, 1, 3, 5).reshape(-1, 192)
    fitted = known @ torch.linalg.lstsq(known, patches).solution
    error = ((fitted - patches) / 2).pow(2).mean()
    assert -10 * torch.log10(error) > 25


def _learn(number: int, folder: Path, processes: int) -> None:
    """One of several processes: its share of forty batches of eight."""
    torch.set_num_threads(1)
    if processes > 1:
        place = f"file://{folder}/meeting"
        torch.distributed.init_process_group(
            "gloo", init_method=place, rank=number, world_size=processes
        )
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    inputs = torch.randn(40, 8, 4, generator=torch.Generator().manual_seed(1))
    mine = inputs.chunk(processes, dim=1)[number]
    Loop(
        "toy",
        folder,
        Budget(40, 8, 1e-2, 4),
        [model],
        together=True,
    ).run(lambda step: model(mine[step]).pow(2).mean())
    torch.save(model.weight.detach(), folder / f"weights-{processes}-{number}")
    if processes > 1:
        torch.distributed.destroy_process_group()


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    for name, processes in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        torch.multiprocessing.spawn(_learn, (tmp_path / name, processes), nprocs=processes)
    alone = torch.load(tmp_path / "one" / "weights-1-0")
    for number in range(2):
        together = torch.load(tmp_path / "two" / f"weights-2-{number}")
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert len((tmp_path / "two" / "log.jsonl").read_text().splitlines()) == 1


def test_a_gate_stops_the_run(tmp_path: Path) -> None:
    measures = {"colour": {"share": 0.97}}
    gate(tmp_path, measures, {"colour": 0.95}, ignore=False)
    with pytest.raises(GateClosed, match="colour"):
        gate(tmp_path, measures, {"colour": 0.98}, ignore=False)
    written = json.loads((tmp_path / "gate.json").read_text())
    assert written == {"open": False, "wanted": {"colour": 0.98}, "measured": measures}


def test_worker_processes_supply_the_pictures_of_their_seeds() -> None:
    order = Order(32, 11)
    expected = {caption for number in range(6) for caption in make(order, 32, number)[1]}
    with Supply(order, workers=1, capacity=64) as data:
        scenes, captions, pictures = data.draw(8, 0)
    assert pictures.shape == (8, 32, 32, 3)
    assert len(scenes) == len(captions) == 8
    assert set(captions) <= expected
    with Supply(order, workers=1, capacity=64) as later:
        assert not set(later.draw(8, 500)[1]) & expected


def test_the_first_model_can_be_continued(tmp_path: Path) -> None:
    import evaluate
    from continue_first import Budgets, train
    from diffusers import AutoencoderTiny

    budget = Budget(2, 2, 1e-5, 1)
    folder = train(
        evaluate.MODEL, tmp_path, Budgets(budget, budget, *[Budget(2, 4, 1e-5, 1)] * 2, 20)
    )
    asked = evaluate.questions(2)
    (first, _) = evaluate.pictures(evaluate.load(folder), asked, steps=2, guidance=3.0)
    assert first.shape == (128, 128, 3)
    assert AutoencoderTiny.from_pretrained(folder / "upscaler").config.latent_channels == 24


def test_the_encoder_as_a_matrix_gives_the_latents_of_the_encoder(tmp_path: Path) -> None:
    run = Run(tmp_path, torch.device("cpu"), PRESETS["smoke"])
    vae = autoencoder.build(run)
    values = autoencoder.as_values(torch.from_numpy(make(Order(SIZE, 3), 4)[2]))
    with torch.no_grad():
        wanted = vae.encode(values).latents
    made = autoencoder.Encoder(vae, run.device)(values)
    assert torch.allclose(made, wanted, atol=1e-3)


def test_what_is_where_is_what_the_scene_says() -> None:
    scenes, _, _ = make(Order(SIZE, 4), 40)
    covered, kind, colour, where = sites.truth(sites.table(scenes), 32)
    for number, scene in enumerate(scenes):
        assert bool(covered[number].any())
        for group in scene.groups:
            for thing in group.things:
                row, column = int(thing.y * 32), int(thing.x * 32)
                assert bool(covered[number, row, column])
                assert tuple(KINDS)[int(kind[number, row, column])] == group.kind
                assert tuple(COLOURS)[int(colour[number, row, column])] == group.colour
                assert where[number, :2, row, column].abs().max() < 0.5
    nothing = sites.truth(torch.zeros(1, sites.MOST, 5), 8)[0]
    assert not nothing.any()


def test_the_reader_is_asked_for_what_the_caption_says_and_no_more() -> None:
    scenes, captions = sayings(400, random.Random(5))
    for scene, caption in zip(scenes, captions, strict=True):
        said = dict(zip(text.questions(), text.answers(scene), strict=True))
        assert said["first kind"] == scene.groups[0].kind
        assert said["second kind"] == (scene.groups[1].kind if len(scene.groups) > 1 else "")
        for place, group in zip(("first", "second"), scene.groups, strict=False):
            colour = said[f"{place} colour"]
            if group.colour_said:
                assert set(COLOUR_WORDS[colour]) & set(caption.split()), caption
            else:
                assert colour == NATURAL.get(group.kind, "")
        if not scene.place_said:
            assert said["setting"] == ""
            assert not {"sea", "desert", "city", "room"} & set(caption.split()), caption


def test_votes_of_the_truth_find_every_thing_once() -> None:
    """What the judge can count at best: cells that say nothing but the truth."""
    scenes, _ = sayings(300, random.Random(6))
    covered, kind, colour, way = sites.truth(sites.table(scenes), judge.GRID)
    cells = torch.cat(
        [
            torch.where(covered, 9.0, -9.0)[:, None],
            20.0 * functional.one_hot(kind, len(judge.KIND_NAMES)).movedim(-1, 1),
            20.0 * functional.one_hot(colour, len(judge.COLOUR_NAMES)).movedim(-1, 1),
            way,
        ],
        dim=1,
    )
    whole = torch.zeros(len(scenes), sum(map(len, judge.GLOBAL_HEADS.values())))
    readings = judge.read(lambda _: (cells, whole), torch.zeros(300, 128, 128, 3))
    wrong = 0
    for scene, reading in zip(scenes, readings, strict=True):
        asked = [(group.kind, group.colour) for group in scene.groups for _ in group.things]
        wrong += sorted((one.kind, one.colour) for one in reading.things) != sorted(asked)
    assert wrong <= 1
