"""audiocraft's own models, tiny and random, in a Python of their own.

Most of these need one that has audiocraft, as `scripts/install_audiocraft` makes it, and whose path
is in STUDIO_AUDIOCRAFT_PYTHON.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from transformers import T5Config, T5EncoderModel

from studio import Studio
from studio.checkup import examine
from studio.errors import Broken, InvalidRequest, Unavailable
from studio.families import Model, Order, Spec
from studio.families.audiocraft import family as audiocraft
from studio.families.audiocraft.family import PYTHON, Audiocraft
from studio.fields import build
from studio.provenance.verdict import Outcome
from studio.settings import Settings
from studio.tasks import TASKS
from studio.testing import FamilyContract, Recorder
from tests.families.tiny import t5_tokenizer
from tests.hosts import settings_for

WORKER = Path(audiocraft.__file__).with_name("worker.py")
MAKER = Path(__file__).with_name("audiocraft_checkpoints.py")
TASK = TASKS["text-to-music"]
CARD = """---
license: mit
studio:
  title: Noises
  family: audiocraft
  tasks: [text-to-audio]
  source: {by_hand: It is built here.}
  memory: {weights: 1, working: 1}
  options: {arguments: {top_k: 20}}
---
Random weights.
"""
needs_audiocraft = pytest.mark.skipif(
    PYTHON not in os.environ, reason="STUDIO_AUDIOCRAFT_PYTHON names no Python with audiocraft"
)


def order(number: int = 0, **more: Any) -> Order:
    asked = {"prompt": ("rain", "a door", "a crowd")[number], "duration": 1.0, **more}
    request = build(TASK.request, asked).model_dump()
    return Order("job", number, TASK.id, request, 40 + number)


def checkpoints(folder: Path, kind: str, *how: str) -> None:
    """The makers' files, with a text encoder beside them."""
    encoder, tokenizer = folder / "t5", t5_tokenizer()
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4
    )
    T5EncoderModel(config).save_pretrained(encoder)
    tokenizer.save_pretrained(encoder)
    run(MAKER, WORKER, folder, kind, *how)


def run(script: Path, *arguments: str | Path, status: int = 0) -> str:
    done = subprocess.run(
        [os.environ[PYTHON], script, *arguments], capture_output=True, text=True, timeout=170
    )
    assert (done.returncode != 0) == bool(status), done.stderr
    return done.stderr


class _Contract(FamilyContract):
    """What every family promises; loaded once, since that starts another Python."""

    family = Audiocraft()
    tolerance = 0.0
    kind = ""
    how: tuple[str, ...] = ()

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp(cls.kind)
        checkpoints(folder / "theirs", cls.kind, *cls.how)
        run(WORKER, "convert", folder / "theirs", folder / "ours")
        # There are fewer entries in the codebooks than the library chooses among.
        return Spec("tiny", folder / "ours", "float32", None, {"arguments": {"top_k": 20}})

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, spec: Spec) -> Iterator[Model]:
        model = cls.family.load(spec, "cpu", "full")
        yield model
        model.unload()

    def order(self, number: int) -> Order:
        return order(number)

    def test_unload_frees_the_model(self, spec: Spec) -> None:
        """The weights are in no process any more."""
        model = self.family.load(spec, "cpu", "full")
        process = model._process  # type: ignore[attr-defined]
        assert process.poll() is None
        model.unload()
        assert process.poll() is not None

    def test_numbers_that_are_none_are_an_error(self, spec: Spec, tmp_path: Path) -> None:
        """And where the process ended, there is a new one for the next order."""
        shutil.copytree(spec.folder, tmp_path / "spoilt")
        codec = tmp_path / "spoilt" / "codec.safetensors"
        nan = {name: np.full_like(one, np.nan) for name, one in load_file(codec).items()}
        model = self.family.load(spec, "cpu", "full")
        model._process.kill()  # type: ignore[attr-defined]
        with pytest.raises(Broken, match="ended"):
            list(model._made({}, Recorder(), 0, 1, 1))  # type: ignore[attr-defined]
        save_file(nan, codec)
        model._spec = Spec("spoilt", codec.parent, "float32", None, spec.options)  # type: ignore[attr-defined]
        with pytest.raises(Unavailable, match="no numbers"):
            list(model.generate([self.order(0)], Recorder()))
        model.unload()

    def test_lengths_and_loops_are_as_asked(self, model: Model) -> None:
        longest = model._window  # type: ignore[attr-defined]
        assert longest == pytest.approx(4, abs=0.05)
        for duration, loopable in ((1.27, False), (1.0, True), (longest, False)):
            one = order(0, duration=duration, loopable=loopable)
            (draft,) = model.generate([one], Recorder())
            assert draft.arrays["samples"].shape == (round(duration * 16_000), 1)
            assert draft.facts == {"rate": 16_000, "loop": loopable}

    def test_what_is_too_long_is_refused_before_it_begins(self, model: Model) -> None:
        for more in ({"duration": 4.1}, {"duration": 3.5, "loopable": True}):
            progress = Recorder()
            with pytest.raises(InvalidRequest, match="duration: this model makes at most"):
                list(model.generate([order(0), order(1, **more)], progress))
            assert progress.steps == []


@needs_audiocraft
class TestAudioGen(_Contract):
    """From checkpoints as they were pickled first, with OmegaConf's objects in them."""

    kind, how = "audiogen", ("old",)

    def test_it_runs_in_the_childs_cage_and_is_signed(
        self, spec: Spec, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The setting alone says where the other Python is."""
        python = os.environ[PYTHON]
        monkeypatch.delenv(PYTHON)
        (home / "model_cards").mkdir(parents=True)
        (home / "model_cards" / "noises.md").write_text(CARD)
        shutil.copytree(spec.folder, home / "models" / "noises")
        with Studio(settings_for(home, audiocraft_python=python)) as studio:
            (made,) = studio.make("text-to-audio", prompt="rain", duration=1.0, model="noises")
            assert studio.verify(made.path).outcome is Outcome.SIGNED


@needs_audiocraft
class TestMagnet(_Contract):
    """From checkpoints as they are pickled now."""

    kind = "magnet"


@needs_audiocraft
def test_a_pickle_that_would_run_something_is_not_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoints(tmp_path / "theirs", "audiogen", "evil")
    said = run(WORKER, "convert", tmp_path / "theirs", tmp_path / "ours", status=1)
    assert "weights_only" in said
    assert not (tmp_path / "it-ran").exists()
    assert not (tmp_path / "ours").exists()


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, no translation, no such Python, and one without audiocraft."""
    spec = Spec("x", tmp_path, "float32", None, {})

    def complaint() -> str:
        with pytest.raises(Unavailable) as caught:
            Audiocraft().load(spec, "cpu", "full")
        return str(caught.value)

    monkeypatch.delenv(PYTHON, raising=False)
    assert "scripts/install_audiocraft" in complaint()
    monkeypatch.setenv(PYTHON, str(tmp_path / "nowhere"))
    assert "docs/audiocraft.md" in complaint()
    (tmp_path / "model.safetensors").touch()
    assert "cannot be started" in complaint()
    monkeypatch.setenv(PYTHON, sys.executable)
    assert "No module named" in complaint()


@pytest.mark.parametrize("python", [None, Path(sys.executable), Path("/nowhere")])
def test_the_check_up_looks_at_it(tmp_path: Path, python: Path | None) -> None:
    settings = Settings(home=tmp_path, audiocraft_python=python)
    (found,) = (one for one in examine(settings) if one.name == "audiocraft")
    assert found.state == ("ok" if python is None else "wrong")


@needs_audiocraft
def test_the_check_up_finds_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, audiocraft_python=Path(os.environ[PYTHON]))
    (found,) = (one for one in examine(settings) if one.name == "audiocraft")
    assert found.state == "ok"
    assert found.message.startswith("audiocraft 1.3.0, torch ")
