"""Importing: what is recognised, what is refused and why, and that nobody's file is touched."""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
import struct
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from studio import imports
from studio.cards import Imported
from studio.catalog import Catalog
from studio.errors import Cancelled, InvalidRequest, NotFound, StudioError, Unavailable
from studio.imports import Wish
from studio.settings import Settings
from tests.hosts import settings_for
from tests.hub import checkpoints

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:diffusers", "ignore::FutureWarning:diffusers"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints `one.safetensors` and `xl.safetensors`, and the folders they were made of."""
    place = tmp_path_factory.mktemp("models")
    checkpoints.stable_diffusion(place / "one", place / "one.safetensors")
    checkpoints.stable_diffusion_xl(place / "xl", place / "xl.safetensors")
    return place


@pytest.fixture
def settings(home: Path) -> Settings:
    home.mkdir()
    return settings_for(home)


@pytest.fixture
def catalog(settings: Settings) -> Catalog:
    return Catalog.open(settings)


def quiet(done: int, total: int) -> None:
    """Nobody listens."""


def refusal(path: Path, catalog: Catalog) -> str:
    """Why what is at `path` cannot be imported."""
    found = imports.look(path, catalog).found[0]
    assert found.error is not None
    with pytest.raises(StudioError) as raised:
        imports.prepare(Wish(str(path)), catalog)
    # Which of two wrong tensors is named, safetensors leaves to chance.
    assert raised.value.record()["error"] == found.error["error"], "the preview says otherwise"
    return f"{found.title}: {found.error['error']}: {found.error['message']}"


@pytest.mark.parametrize("name", ["one", "xl"])
def test_a_checkpoint_becomes_the_model_it_was_made_of(
    name: str, models: Path, catalog: Catalog, settings: Settings
) -> None:
    heard: list[tuple[int, int]] = []
    before = (models / f"{name}.safetensors").read_bytes()
    card = imports.bring(
        Wish(str(models / f"{name}.safetensors"), base=str(models / name), licence="mit"),
        catalog,
        settings,
        lambda done, total: heard.append((done, total)),
    )
    assert catalog[name] is card
    assert card.licence == "mit"
    folder = catalog.folder(card)
    compared = 0
    for path in (models / name).glob("*/*.safetensors"):
        made = load_file(folder / path.relative_to(models / name))
        for key, tensor in load_file(path).items():
            assert torch.equal(made[key], tensor.half()), (path, key)
            compared += 1
    assert compared > 100
    assert heard == sorted(heard)
    assert heard[-1][0] <= heard[-1][1]
    assert (models / f"{name}.safetensors").read_bytes() == before
    assert not list((settings.home / "spool").iterdir()), "nothing is left behind"
    # What was written is read again by the next host.
    again = Catalog.open(settings)
    assert again[name] == card
    assert again.installed(card)
    assert catalog.revision(card).startswith("sha256:")


def test_an_installed_model_of_the_same_kind_lends_what_is_missing(
    models: Path, catalog: Catalog, settings: Settings, tmp_path: Path
) -> None:
    lender = imports.bring(Wish(str(models / "one")), catalog, settings, quiet)
    tensors = load_file(models / "one.safetensors")
    bare = tmp_path / "bare.safetensors"
    kept = {name: one for name, one in tensors.items() if "first_stage" not in name}
    checkpoints.write(bare, kept)
    found = imports.look(bare, catalog).found[0]
    assert found.error is None
    assert found.base == lender.name == "one"
    card = imports.bring(Wish(str(bare)), catalog, settings, quiet)
    lent = load_file(catalog.folder(card) / "vae" / "diffusion_pytorch_model.safetensors")
    own = load_file(models / "one" / "vae" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(lent[key], own[key]) for key in own)


def test_without_a_tokenizer_the_missing_files_are_named(models: Path, catalog: Catalog) -> None:
    file = models / "one.safetensors"
    with pytest.raises(StudioError) as raised:
        imports.prepare(Wish(str(file), base=str(models / "xl")), catalog)
    # A tokenizer alone is not enough for a model of a size that nobody has configurations of.
    assert "block_out_channels" in raised.value.message


def test_a_folder_is_used_where_it_lies_or_copied(
    models: Path, catalog: Catalog, settings: Settings
) -> None:
    card = imports.bring(Wish(str(models / "one"), name="linked"), catalog, settings, quiet)
    source = card.studio.source
    assert isinstance(source, Imported)
    assert source.in_place
    assert catalog.folder(card) == (models / "one").resolve()
    copy = imports.bring(
        Wish(str(models / "one"), name="copied", copy=True), catalog, settings, quiet
    )
    assert catalog.folder(copy) == settings.home / "models" / "copied"
    for each in (card, copy):
        imports.forget(each, catalog, settings)
        with pytest.raises(NotFound):
            catalog[each.name]
    assert (models / "one" / "unet" / "diffusion_pytorch_model.safetensors").exists()
    assert not (settings.home / "models" / "copied").exists()
    assert {card.name for card in Catalog.open(settings)} == {card.name for card in catalog}


def test_another_programs_folder_is_listed(models: Path, catalog: Catalog, tmp_path: Path) -> None:
    place = tmp_path / "webui" / "models"
    for name in ("Stable-diffusion", "Lora", "VAE", "embeddings"):
        (place / name).mkdir(parents=True)
    shutil.copy(
        models / "one.safetensors", place / "Stable-diffusion" / "Some Model v2.safetensors"
    )
    vae = {
        name.removeprefix("first_stage_model."): tensor
        for name, tensor in load_file(models / "one.safetensors").items()
        if name.startswith("first_stage_model.")
    }
    save_file(vae, place / "VAE" / "good.safetensors")
    save_file({"lora_unet_a.lora_down.weight": torch.zeros(2)}, place / "Lora" / "l.safetensors")
    (place / "Stable-diffusion" / "old.ckpt").write_bytes(pickle.dumps({"a": 1}))
    # Two ways to the same place, and one that never ends.
    (place / "again").symlink_to(place, target_is_directory=True)
    survey = imports.look(tmp_path / "webui", catalog, str(models / "one"))
    assert survey.layout == "A1111"
    kinds = {Path(one.path).name: (one.kind, one.error is None) for one in survey.found}
    assert kinds == {
        "Some Model v2.safetensors": ("checkpoint", True),
        "good.safetensors": ("vae", False),
        "l.safetensors": ("lora", False),
        "old.ckpt": ("unknown", False),
    }
    assert {one.name for one in survey.found if one.error is None} == {"some-model-v2"}


def _safetensors(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def _one(**tensor: Any) -> bytes:
    return json.dumps(
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **tensor}}
    ).encode()


BAD = {
    "empty": b"",
    "truncated header": _safetensors(_one()[:20], length=200),
    "longer than the file": _safetensors(_one(), b"1234", length=100_000),
    "a huge header": _safetensors(_one(), b"1234", length=100_000_000),
    "an impossible header": b"\xff" * 64,
    "overlapping offsets": _safetensors(
        json.dumps(
            {name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for name in "ab"}
        ).encode(),
        b"1234",
    ),
    "unknown type": _safetensors(_one(dtype="F7"), b"1234"),
    "data missing": _safetensors(_one(), b"12"),
    "shape that does not fit": _safetensors(_one(shape=[2]), b"1234"),
    "a pickle in disguise": pickle.dumps({"a": 1}),
    "an archive in disguise": b"PK\x03\x04" + b"\0" * 64,
    "text": b"<html>404 not found</html>",
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_file_is_refused(name: str, tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(BAD[name])
    why = refusal(path, catalog)
    assert "InvalidRequest" in why
    assert ("pickle" if "disguise" in name else "damaged") in why


def test_what_is_no_model_is_refused(tmp_path: Path, catalog: Catalog) -> None:
    lone = tmp_path / "x.safetensors"
    save_file({"something.weight": torch.zeros(2)}, lone)
    assert "not known here" in refusal(lone, catalog)
    (tmp_path / "loop.safetensors").symlink_to(tmp_path / "loop.safetensors")
    for path, error in (
        (tmp_path / "loop.safetensors", InvalidRequest),
        (tmp_path / "nothing.safetensors", NotFound),
        (catalog.weights.parent, InvalidRequest),
        (Path("/dev/null"), InvalidRequest),
    ):
        with pytest.raises(error):
            imports.look(path, catalog)
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(InvalidRequest):
        imports.look(tmp_path / "pipe.safetensors", catalog)


def test_eight_bits_and_inpainting_are_refused_with_the_reason(
    models: Path, catalog: Catalog, tmp_path: Path
) -> None:
    tensors = load_file(models / "one.safetensors")
    entrance = "model.diffusion_model.input_blocks.0.0.weight"
    small = tmp_path / "small.safetensors"
    save_file(tensors | {entrance: tensors[entrance].to(torch.float8_e4m3fn)}, small)
    with pytest.raises(InvalidRequest, match="F8_E4M3"):
        imports.prepare(Wish(str(small), base=str(models / "one")), catalog)
    wide = tmp_path / "wide.safetensors"
    save_file(tensors | {entrance: torch.zeros(8, 9, 3, 3)}, wide)
    with pytest.raises(InvalidRequest, match="unusual"):
        imports.prepare(Wish(str(wide), base=str(models / "one")), catalog)


def nothing_happened(catalog: Catalog, settings: Settings) -> bool:
    """Whether no card, no weights and no work of an import is there."""
    places = ("spool", "models", "model_cards")
    left = [path for name in places for path in (settings.home / name).glob("*")]
    return not left and not any(isinstance(card.studio.source, Imported) for card in catalog)


def test_a_file_that_lacks_weights_leaves_nothing_behind(
    models: Path, catalog: Catalog, settings: Settings, tmp_path: Path
) -> None:
    tensors = load_file(models / "one.safetensors")
    del tensors["model.diffusion_model.middle_block.0.in_layers.2.weight"]
    save_file(tensors, tmp_path / "holes.safetensors")
    wish = Wish(str(tmp_path / "holes.safetensors"), base=str(models / "one"))
    with pytest.raises(InvalidRequest, match="unet"):
        imports.bring(wish, catalog, settings, quiet)
    assert nothing_happened(catalog, settings)


def test_what_changes_meanwhile_is_not_imported(
    models: Path, catalog: Catalog, settings: Settings, tmp_path: Path
) -> None:
    shutil.copytree(models / "one", tmp_path / "mine")
    weights = tmp_path / "mine" / "unet" / "diffusion_pytorch_model.safetensors"
    wish = Wish(str(tmp_path / "mine"), copy=True)
    with pytest.raises(InvalidRequest, match="changed"):
        imports.bring(wish, catalog, settings, lambda done, total: os.utime(weights, ns=(1, done)))
    assert nothing_happened(catalog, settings)


def test_an_interrupted_copy_goes_on_where_it_was(
    models: Path, catalog: Catalog, settings: Settings
) -> None:
    wish = Wish(str(models / "one"), name="copied", copy=True)
    weights = [path.relative_to(models / "one") for path in imported_weights(models / "one")]
    first = weights[0]

    def stop(done: int, total: int) -> None:
        # Everything is read once before anything is copied.
        if any((settings.home / "models").rglob(str(weights[1]))):
            raise Cancelled

    with pytest.raises(Cancelled):
        imports.bring(wish, catalog, settings, stop)
    (partial,) = (settings.home / "models").iterdir()
    # What was copied is kept; what is damaged, or in the way, is not.
    kept = (partial / first).stat().st_ino, (partial / first).stat().st_mtime_ns
    whole = (models / "one" / weights[1]).read_bytes()
    (partial / weights[1]).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (partial / "other.safetensors").write_bytes(b"left over")
    card = imports.bring(wish, catalog, settings, quiet)
    folder = catalog.folder(card)
    assert ((folder / first).stat().st_ino, (folder / first).stat().st_mtime_ns) == kept
    assert [path.relative_to(folder) for path in imported_weights(folder)] == weights
    for name in weights:
        assert (folder / name).read_bytes() == (models / "one" / name).read_bytes()
    assert not partial.exists()


def imported_weights(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


def test_a_stopped_import_ends_its_process_and_leaves_nothing_behind(
    models: Path, catalog: Catalog, settings: Settings
) -> None:
    file = models / "one.safetensors"
    children: list[psutil.Process] = []

    def stop(done: int, total: int) -> None:
        # Once the file has been read to its end, it is the child's turn.
        children.extend(psutil.Process().children())
        if children:
            raise Cancelled

    with pytest.raises(Cancelled):
        imports.bring(Wish(str(file), base=str(models / "one")), catalog, settings, stop)
    assert len(children) == 1
    assert not children[0].is_running()
    assert nothing_happened(catalog, settings)


def test_a_full_disk_is_noticed_before_anything_is_written(
    models: Path, catalog: Catalog, settings: Settings
) -> None:
    full = settings_for(settings.home, spare_bytes=10**18)
    with pytest.raises(Unavailable, match="GB free"):
        imports.bring(
            Wish(str(models / "one.safetensors"), base=str(models / "one")), catalog, full, quiet
        )
    assert nothing_happened(catalog, settings)


def test_names_are_checked(models: Path, catalog: Catalog, settings: Settings) -> None:
    for name in ("starter-pictures", "../up", "Big", "", "readme", "a" * 81):
        with pytest.raises(InvalidRequest):
            imports.bring(Wish(str(models / "one"), name=name or "-"), catalog, settings, quiet)
    assert nothing_happened(catalog, settings)


def test_shipped_configurations_describe_the_released_models() -> None:
    """The parameter counts that the models' authors published, from our configurations alone."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from studio.imports.architectures import (
        STABLE_DIFFUSION,
        STABLE_DIFFUSION_2,
        STABLE_DIFFUSION_XL,
    )

    for architecture, count in (
        (STABLE_DIFFUSION, 859_520_964),
        (STABLE_DIFFUSION_2, 865_910_724),
        (STABLE_DIFFUSION_XL, 2_567_463_684),
    ):
        configs = architecture.configs()
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(configs["unet/config.json"])
            vae = AutoencoderKL.from_config(configs["vae/config.json"])
        assert sum(one.numel() for one in unet.parameters()) == count
        assert sum(one.numel() for one in vae.parameters()) == 83_653_863


def _released(path: Path) -> None:
    """The head of a Stable Diffusion 1.5 checkpoint, and nothing but holes behind it."""
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3],
        "first_stage_model.decoder.conv_in.weight": [512, 4, 3, 3],
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": [49408, 768],
    }
    header, place = {}, 0
    for name, shape in shapes.items():
        end = place + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [place, end]}
        place = end
    written = _safetensors(json.dumps(header).encode())
    path.write_bytes(written)
    os.truncate(path, len(written) + place)


def test_a_released_checkpoint_needs_a_tokenizer_and_says_so(
    tmp_path: Path, catalog: Catalog
) -> None:
    file = tmp_path / "v1-5.safetensors"
    _released(file)
    with pytest.raises(Unavailable) as raised:
        imports.prepare(Wish(str(file)), catalog)
    assert "tokenizer/vocab.json and tokenizer/merges.txt" in raised.value.message
    assert "--base" in raised.value.hint
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "vocab.json").write_text(json.dumps({str(n): n for n in range(100)}))
    with pytest.raises(InvalidRequest, match="its tokenizer is another"):
        imports.prepare(Wish(str(file), base=str(folder)), catalog)
    (folder / "vocab.json").write_text(json.dumps({str(n): n for n in range(49408)}))
    name, made = imports.prepare(Wish(str(file), base=str(folder)), catalog)
    assert name == "v1-5"
    assert made.dtype == "float16"
    assert made.parts == ("unet", "vae", "text_encoder")
    assert made.configs["unet/config.json"]["cross_attention_dim"] == 768
