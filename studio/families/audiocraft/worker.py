"""The process that has audiocraft in it. It imports nothing of the studio.

It is started by path, with the interpreter that has audiocraft, which may be another Python with
other versions of everything:

    python -I worker.py serve FOLDER DEVICE    make sounds with the model in FOLDER
    python -I worker.py convert FROM TO        translate its pickled checkpoints, once

While it serves, it says what the device child says, in lines of JSON on two pipes: `ready`, then
for every `run` any number of `step`s, each of which waits for `go` or `stop`, and at last `made`
with so many bytes of samples, `stopped` or `failed`. It ends when its input does.

audiocraft 1.3.0 wants torch 2.1.0 and imports, at its top, libraries that it does not need for
making sounds. Where one of them is missing, a stand-in that says so takes its place in this
process alone.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, BinaryIO

#: The two checkpoints of a model, as its makers and as the studio call them.
_CHECKPOINTS = {"state_dict": "model", "compression_state_dict": "codec"}
#: The parts that a model has from elsewhere: the text encoder, and perhaps the codec.
_PARTS = ("t5", "encodec")
_COPIED = (".json", ".txt", ".model", ".safetensors")


class _Stopped(Exception):
    """The studio wants no more of it."""


def _module(name: str, **content: Any) -> None:
    """Put a module in place of one that is not installed."""
    module = types.ModuleType(name)
    module.__dict__.update(content, __path__=[], __spec__=ModuleSpec(name, None))
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


def _missing(name: str) -> Any:
    """A class that cannot be made without the library `name`."""

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError(name + " is not installed beside audiocraft, and this needs it")

    return type(name.title(), (), {"__init__": refuse})


def stand_in() -> None:
    """Replace what audiocraft imports without need and is not here."""
    import torch

    def attention(
        q: Any, k: Any, v: Any, attn_bias: Any = None, p: float = 0.0, scale: Any = None
    ) -> Any:
        """Attention over (batch, time, heads, width), as xformers has it, by torch's own."""
        causal = isinstance(attn_bias, Triangle)
        q, k, v = (one.transpose(1, 2) for one in (q, k, v))
        attended = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=None if causal else attn_bias, dropout_p=p, is_causal=causal,
            scale=scale,
        )  # fmt: skip
        return attended.transpose(1, 2)

    class Triangle:
        """What xformers calls a lower triangular mask."""

    def absent(name: str) -> bool:
        return importlib.util.find_spec(name) is None

    if absent("xformers"):
        _module("xformers", __version__="0")
        _module(
            "xformers.ops",
            unbind=torch.unbind,
            memory_efficient_attention=attention,
            LowerTriangularMask=Triangle,
        )
    if absent("spacy"):
        _module("spacy", load=_missing("spacy"))
    if absent("librosa"):
        _module("librosa")
        _module("librosa.filters", chroma=_missing("librosa"))
    if absent("torchaudio"):
        names = ("Spectrogram", "MelSpectrogram", "Resample", "Loudness")
        _module("torchaudio")
        _module("torchaudio.transforms", **dict.fromkeys(names, _missing("torchaudio")))
        _module("torchaudio.functional")


def load(folder: Path, device: str) -> Any:
    """The model in `folder`: an AudioGen, or a MAGNeT where its configuration says so."""
    from audiocraft.models import AudioGen, MAGNeT, builders
    from audiocraft.models.encodec import HFEncodecCompressionModel
    from audiocraft.modules.conditioners import T5Conditioner
    from audiocraft.modules.transformer import set_efficient_attention_backend
    from omegaconf import OmegaConf
    from safetensors.torch import load_file

    def settings(name: str) -> Any:
        found = OmegaConf.load(folder / (name + ".yaml"))
        found.device, found.dtype = device, "float32" if device == "cpu" else "float16"
        return found

    if (folder / "encodec").is_dir():
        from transformers import EncodecModel

        part = EncodecModel.from_pretrained(folder / "encodec", local_files_only=True)
        codec = HFEncodecCompressionModel(part).to(device)
    else:
        codec = builders.get_compression_model(settings("codec"))
        codec.load_state_dict(load_file(folder / "codec.safetensors"))
    config = settings("model")
    for conditioner in config.conditioners.values():
        if conditioner.get("model") == "t5":
            encoder = str(folder / "t5")
            T5Conditioner.MODELS.append(encoder)
            about = json.loads((folder / "t5" / "config.json").read_text(encoding="utf-8"))
            T5Conditioner.MODELS_DIMS[encoder] = about["d_model"]
            conditioner.t5.name = encoder
    # Older configurations name arguments of training, which are gone.
    for name in ("merge_text_conditions_p", "drop_desc_p"):
        config.conditioners.get("args", {}).pop(name, None)
    masked = config.lm_model == "transformer_lm_magnet"
    if masked:
        config.transformer_lm.compression_model_framerate = int(codec.frame_rate)
        config.transformer_lm.segment_duration = config.dataset.segment_duration
        config.transformer_lm.span_len = config.masking.span_len
        if config.transformer_lm.memory_efficient:
            set_efficient_attention_backend("xformers")
    writer = builders.get_lm_model(config)
    writer.load_state_dict(load_file(folder / "model.safetensors"))
    writer.eval()
    writer.cfg = config
    if masked:
        return MAGNeT(name=folder.name, compression_model=codec, lm=writer)
    return AudioGen(folder.name, codec, writer)


def make(model: Any, order: dict[str, Any], say: Any, answer: BinaryIO) -> Any:
    """A sound for the order, float32 (channels, samples); `_Stopped` if that is the answer."""
    import torch

    def step(done: int, total: int) -> None:
        say(kind="step", done=done, total=total)
        if answer.readline().strip() != b"go":
            raise _Stopped

    model.set_custom_progress_callback(step)
    parameters = dict(order["options"])
    # MAGNeT, which has no stride, fills a length that was fixed when it was trained.
    if model.extend_stride is not None:
        parameters["duration"] = order["seconds"]
    model.set_generation_params(**parameters)
    torch.manual_seed(order["seed"])
    return model.generate([order["prompt"]], progress=True)[0].float().cpu()


def serve(folder: Path, device: str) -> None:
    """Make what is asked for, until nothing more is."""
    heard = sys.stdin.buffer
    said = os.fdopen(os.dup(1), "wb")
    # What the libraries print is no answer.
    os.dup2(2, 1)

    def say(**message: Any) -> None:
        said.write(json.dumps(message).encode() + b"\n")
        said.flush()

    def failed(error: Exception) -> None:
        name, text = type(error).__name__, (str(error).strip() or "no reason").splitlines()[0]
        say(kind="failed", error=(name + ": " + text)[:300], memory=name == "OutOfMemoryError")

    stand_in()
    sys.addaudithook(_refuse_network)
    try:
        model = load(folder, device)
    except Exception as error:
        failed(error)
        return
    rate, frames = model.sample_rate, float(model.frame_rate)
    steps = sum(model.generation_params.get("decoding_steps", ()))
    seconds = model.max_duration
    if steps:
        # MAGNeT leaves out the end that is no whole span.
        seconds = int(seconds * frames) // model.lm.span_len * model.lm.span_len / frames
    say(kind="ready", rate=rate, frames=frames, seconds=seconds, steps=steps)
    for line in heard:
        try:
            sound = make(model, json.loads(line), say, heard)
        except _Stopped:
            say(kind="stopped")
            continue
        except Exception as error:
            failed(error)
            continue
        content = sound.T.contiguous().numpy().astype("<f4").tobytes()
        say(kind="made", channels=len(sound), bytes=len(content))
        said.write(content)
        said.flush()


def convert(source: Path, target: Path) -> None:
    """Translate both checkpoints in `source` into safetensors and YAML in a new folder `target`.

    They are pickles: what is read from them is tensors, plain containers and the few classes of
    OmegaConf that are named here; anything else ends this.
    """
    from collections import defaultdict

    import torch
    from omegaconf import DictConfig, ListConfig, OmegaConf
    from omegaconf.base import ContainerMetadata, Metadata
    from omegaconf.nodes import AnyNode
    from safetensors.torch import save_file

    safe = [DictConfig, ListConfig, AnyNode, ContainerMetadata, Metadata, Any]
    safe += [defaultdict, dict, list, int]
    making = target.with_name(target.name + ".partial")
    making.mkdir(parents=True)
    for theirs, ours in _CHECKPOINTS.items():
        with torch.serialization.safe_globals(safe):
            package = torch.load(source / (theirs + ".bin"), map_location="cpu", weights_only=True)
        if "pretrained" in package:
            if not (source / "encodec").is_dir():
                sys.exit(f"Its codec is {package['pretrained']}: put that into {source}/encodec.")
            continue
        tensors = {name: one.contiguous().clone() for name, one in package["best_state"].items()}
        save_file(tensors, making / (ours + ".safetensors"))
        config = OmegaConf.to_yaml(OmegaConf.create(package["xp.cfg"]))
        (making / (ours + ".yaml")).write_text(config, encoding="utf-8")
    for part in _PARTS:
        for path in (source / part).glob("*"):
            if path.suffix in _COPIED:
                (making / part).mkdir(exist_ok=True)
                shutil.copyfile(path, making / part / path.name)
    if not any((making / "t5").glob("*.safetensors")):
        sys.exit(f"Its text encoder is missing: put a T5 with safetensors into {source}/t5.")
    making.rename(target)


def _refuse_network(event: str, _: Any) -> None:
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo"):
        raise OSError("audiocraft's process has no network")


if __name__ == "__main__":
    {"serve": lambda: serve(Path(sys.argv[2]), sys.argv[3]),
     "convert": lambda: convert(Path(sys.argv[2]), Path(sys.argv[3]))}[sys.argv[1]]()  # fmt: skip
