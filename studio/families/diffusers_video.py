"""The family of the diffusers library's films: CogVideoX, AnimateDiff, LTX, Wan and their like.

A model draws as many frames as it can, of a size that it can, and the draft is cut back to what was
asked. Frames become bytes one by one as they are decoded; no film is ever held as float32 pictures
by the studio.

A card's `options` for this family, all of them optional; `grid`, `upscale`, `scheduler`,
`arguments` and `without` mean what they do for pictures (`studio.families.diffusers`):

- `frames`: `{step: 4, plus: 1}` for a model whose films have 4 n + 1 frames; `least` is the
  shortest that it can draw.
- `base`: another model beside this one, a Stable Diffusion, whose parts this one sets in motion.
  The folder then holds an AnimateDiff motion adapter, or a UNet whose channels are those of a
  film's frames (`diffusers_channels`), and perhaps a `text_encoder` and `scheduler` of its own.
- `refine`: `{strength: 0.3, guidance: 6, steps: 14}`, how that other model draws every frame a
  little anew at the end (`diffusers_refine`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import (
    AnimateDiffPipeline,
    DDIMScheduler,
    DiffusionPipeline,
    MotionAdapter,
    UNet2DConditionModel,
)
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPTextModel

from studio.draft import Draft
from studio.errors import InvalidRequest, OutOfMemory, Unavailable
from studio.families import Order, Progress, Spec
from studio.families.diffusers_channels import ChannelFilmPipeline
from studio.families.diffusers_enlarge import Enlarger
from studio.families.diffusers_film import (
    drawn_frames,
    drawn_size,
    eight_bits,
    extended,
    film_of,
    finished,
    last_frames,
    look,
    pictures_of,
    shown,
)
from studio.families.diffusers_folder import (
    Shared,
    calling,
    give_back,
    no_numbers,
    open_folder,
)
from studio.families.diffusers_inputs import picture_of, steps_of
from studio.families.diffusers_memory import Decoding, device_and_dtype, memory_errors, place
from studio.families.diffusers_refine import Refiner
from studio.families.diffusers_steps import Follower
from studio.families.weights import check_weights, first_line

#: The argument of a call that makes its pipeline one for the task.
_TAKES = {"image-to-video": "image", "video-extension": "image", "video-to-video": "video"}
#: The library's pipelines that share all parts with another, by task and by that other.
_FROM_PICTURE = {
    "AnimateDiffPipeline": "AnimateDiffVideoToVideoPipeline",
    "LTXPipeline": "LTXImageToVideoPipeline",
    "WanPipeline": "WanImageToVideoPipeline",
}
_ROLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "text-to-video": {
            "ChannelFilmPipeline": "ChannelFilmPipeline",
            "LTXImageToVideoPipeline": "LTXPipeline",
            "WanVideoToVideoPipeline": "WanPipeline",
        },
        "image-to-video": _FROM_PICTURE,
        "video-extension": _FROM_PICTURE,
        "video-to-video": {
            "AnimateDiffPipeline": "AnimateDiffVideoToVideoPipeline",
            "CogVideoXPipeline": "CogVideoXVideoToVideoPipeline",
            "WanPipeline": "WanVideoToVideoPipeline",
        },
    }
)
#: What a folder may have in place of its base's, beside a scheduler.
_PARTS = MappingProxyType({"unet": UNet2DConditionModel, "text_encoder": CLIPTextModel})
#: How motion adapters were trained to be denoised, which their base was not.
_DENOISED = MappingProxyType(
    {
        "beta_schedule": "linear",
        "clip_sample": False,
        "timestep_spacing": "linspace",
        "steps_offset": 1,
    }
)
#: Stable Video Diffusion's measure of motion: its usual amount, and the most it knows.
_BUCKET, _MOST_BUCKET = 127, 255
#: How much of a still picture may change where a pipeline takes it for a film, at motion 1.
_STILL_STRENGTH = 0.85


class DiffusersVideo:
    """Loads the film pipelines of the diffusers library."""

    def __init__(self) -> None:
        self._shared = Shared()

    def load(self, spec: Spec, device: str, placement: str) -> Films:
        """The pipeline in `spec.folder`; see `studio.families.Family.load`."""
        with memory_errors(spec.name):
            if "base" in spec.options:
                pipe = _moving(spec, device, placement)
            else:
                pipe = open_folder(spec, device, placement, shared=self._shared)
            pipe.set_progress_bar_config(disable=True)
            place(pipe, device, placement)
            own = base_of(spec) if "base" in spec.options else spec.folder
            enlarge = Enlarger(spec, own, *device_and_dtype(spec, device, placement))
            refine = None
            if "refine" in spec.options:
                refine = Refiner(spec, own, pipe.vae, device, placement)
        return Films(pipe, spec, device, placement, enlarge, refine)


class Films:
    """One pipeline in memory; see `studio.families.Model`."""

    def __init__(
        self,
        pipe: Any,
        spec: Spec,
        device: str,
        placement: str,
        enlarge: Enlarger,
        refine: Refiner | None = None,
    ) -> None:
        """`pipe` makes films, and is on `device` as `placement` says."""
        #: The folder's own pipeline, and what it has become for the last task.
        self._own = self._pipe = pipe
        self._spec = spec
        self._device = device
        self._placement = placement
        self._enlarge, self._refine = enlarge, refine
        self._decoding = Decoding()
        # Elsewhere than on the device the decoder would be moved about for each.
        self._previews = placement == "full" and shown(pipe)

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """One video draft per order: `frames` uint8 (n, height, width, 3) and `fps`.

        A film that goes on has its own sound, too, and is silent where that has ended.

        Raises:
            InvalidRequest: if the pipeline refuses the request.
            Unavailable: if the model computes no numbers.
        """
        plans = [steps_of(order, self._strength(order)) for order in batch]
        after = [self._refining(order) for order in batch]
        total, done = sum(made for _, made in plans) + sum(after), 0
        for number, (order, (planned, made)) in enumerate(zip(batch, plans, strict=True)):
            self._become(order.task)
            begins = self._begins(order)
            follower = Follower(
                progress,
                steps=made,
                done=done,
                total=total,
                before=number,
                after=len(batch) - number - 1,
                look=partial(look, self._pipe) if self._previews else None,
            )
            frames = self._film(order, begins, planned, follower)
            done += made + after[number]
            arrays, facts = {"frames": frames}, {"fps": int(order.request["fps"])}
            if order.task == "video-extension":
                arrays, facts = extended(order, frames, len(begins))
            yield Draft("video", order.index, order.seed, arrays, facts | self._facts())

    def unload(self) -> None:
        """Free the weights and give the memory back to the system."""
        self._own.remove_all_hooks()
        if self._refine is not None:
            self._refine.unload()
        del self._own, self._pipe, self._enlarge, self._refine
        give_back()

    def _film(
        self, order: Order, begins: list[Image.Image], planned: int, follower: Follower
    ) -> NDArray[np.uint8]:
        """The finished frames; once more, with all the room there is, where memory ran out."""
        try:
            return self._draw(order, begins, planned, follower)
        except OutOfMemory as error:
            failure = error.with_traceback(None)
        if not follower.make_room():
            raise failure
        return self._draw(order, begins, planned, follower)

    def _draw(
        self, order: Order, begins: list[Image.Image], planned: int, follower: Follower
    ) -> NDArray[np.uint8]:
        pipe = self._pipe
        if (guider := getattr(pipe, "guider", None)) is not None:
            # Where guidance is a part of the pipeline, and no argument of its call.
            guider.guidance_scale = float(order.request["guidance"])
        takes = inspect.signature(pipe.__call__).parameters
        with (
            calling(pipe, self._spec),
            follower.hooks(pipe, takes) as hooks,
            self._decoding.of(pipe, follower.make_room),
            eight_bits(pipe) as films,
        ):
            pipe(**self._arguments(order, begins, planned, takes), **hooks)
        if not films:
            raise no_numbers(self._spec.name)
        frames = films[0]
        if self._refine is not None and self._refining(order):
            # What was given stays as it is.
            drawn = slice(len(begins), len(frames) - ("last_image" in order.inputs))
            frames[drawn] = self._refine(frames, order, follower)[drawn]
        return finished(frames, self._enlarge, order, max(1, len(begins)))

    def _refining(self, order: Order) -> int:
        """How many steps follow those of the film itself."""
        count = drawn_frames(self._spec, order)
        return self._refine.steps(order, count) if self._refine is not None else 0

    def _become(self, task: str) -> None:
        """Turn the pipeline into the library's own for `task`; its parts in memory stay."""
        kind = type(self._own).__name__
        takes = inspect.signature(self._own.__call__).parameters
        role = _ROLES.get(task, {}).get(kind)
        wanted = _TAKES.get(task)
        if role is None and (wanted not in takes if wanted else {"image", "video"} & set(takes)):
            raise InvalidRequest(
                f"{self._spec.name} cannot do {task}: there is no pipeline of its kind for it.",
                hint="Choose another model for it.",
            )
        if type(self._pipe).__name__ == (role or kind):
            return
        self._pipe = self._own
        if role is not None:
            self._pipe = _sharing(getattr(diffusers, role), self._own)
            self._pipe.set_progress_bar_config(disable=True)
        if self._placement == "model-offload":
            # The parts' hooks belong to the pipeline that was there before.
            with memory_errors(self._spec.name):
                place(self._pipe, self._device, self._placement)

    def _strength(self, order: Order) -> float:
        """How much of what is given may change: of a still that is taken for a film, by motion."""
        animated = type(self._own).__name__ == "AnimateDiffPipeline"
        if animated and order.task in ("image-to-video", "video-extension"):
            return min(max(_STILL_STRENGTH * float(order.request["motion"]), 0.1), 1.0)
        return float(order.request.get("strength", 1.0))

    def _arguments(
        self, order: Order, begins: list[Image.Image], planned: int, takes: Mapping[str, Any]
    ) -> dict[str, Any]:
        request = order.request
        (width, height), count = drawn_size(self._spec, request), drawn_frames(self._spec, order)
        guidance = float(request["guidance"])
        arguments: dict[str, Any] = {
            "prompt": request["prompt"],
            "width": width,
            "height": height,
            "num_frames": count,
            "video_length": count,
            "frame_rate": int(request["fps"]),
            "fps": int(request["fps"]),
            "num_inference_steps": planned,
            "guidance_scale": guidance,
            "max_guidance_scale": max(guidance, 1.0),
            "generator": torch.Generator("cpu").manual_seed(order.seed),
            "strength": self._strength(order),
            "output_type": "np",
        }
        if request["negative_prompt"]:
            # Else the library's own: not all of its pipelines take None for none.
            arguments["negative_prompt"] = request["negative_prompt"]
        match order.task:
            case "image-to-video" | "video-extension":
                given = film_of(begins, len(begins), (width, height))
                arguments["image"] = given if len(given) > 1 else given[0]
                arguments["video"] = given[-1:] * count
                bucket = round(_BUCKET * float(request["motion"]))
                arguments["motion_bucket_id"] = min(max(bucket, 1), _MOST_BUCKET)
                if self._ends_at_a_picture(order, takes):
                    last = picture_of(order, "last_image")
                    arguments["last_image"] = film_of([last], 1, (width, height))[0]
            case "video-to-video":
                arguments["video"] = film_of(pictures_of(order), count, (width, height))
        arguments |= self._spec.options.get("arguments", {})
        return {name: value for name, value in arguments.items() if name in takes}

    def _begins(self, order: Order) -> list[Image.Image]:
        """The pictures that are given for the film to begin with."""
        match order.task:
            case "image-to-video":
                return [picture_of(order)]
            case "video-extension":
                return last_frames(order, getattr(self._own, "goes_on_from", 1))
            case _:
                return []

    def _ends_at_a_picture(self, order: Order, takes: Mapping[str, Any]) -> bool:
        """Whether a last picture is given, which some models cannot use and others need."""
        given, needed, able = "last_image" in order.inputs, False, "last_image" in takes
        if type(self._pipe).__name__ == "WanImageToVideoPipeline":
            # One that sees its pictures with CLIP, too, was trained for one of them or for both;
            # one that keeps its first frame as it is looks at no other.
            needed = self._pipe.transformer.config.pos_embed_seq_len is not None
            able = needed or not (self._pipe.image_encoder or self._pipe.config.expand_timesteps)
        if given and not able:
            raise InvalidRequest(
                f"{self._spec.name} cannot end a film at a given picture.",
                hint="Leave the last picture out, or choose another model.",
            )
        if needed and not given:
            raise InvalidRequest(
                f"{self._spec.name} draws from one picture to another, and there is only one.",
                hint="Give a last picture to animate, too, or choose another model.",
            )
        return given

    def _facts(self) -> dict[str, Any]:
        """What was done that changes the film a little, if anything was."""
        done = {
            "decoded in tiles": self._decoding.tiled,
            "weights in 8 bits": self._placement == "quantised",
        }
        names = [name for name, was in done.items() if was]
        return {"made with": names} if names else {}


def _sharing(kind: type[DiffusionPipeline], pipe: Any) -> Any:
    """A pipeline of another kind with the parts of `pipe`, as they are.

    The library's own `from_pipe` turns all of them into one precision, float32 unless it is told
    another, and so what `pipe` holds too.
    """
    known = {**pipe.config, **pipe.components}
    takes = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in known.items() if name in takes})


def _moving(spec: Spec, device: str, placement: str) -> Any:
    """The Stable Diffusion that the card's `base` names, with what this folder has in its place."""
    base, (_, dtype) = base_of(spec), device_and_dtype(spec, device, placement)
    reading = {"dtype": dtype, "use_safetensors": True, "local_files_only": True}
    parts: dict[str, Any] = {}
    try:
        for name, part in _PARTS.items():
            if (place := spec.folder / name).is_dir():
                check_weights(place)
                parts[name] = part.from_pretrained(place, variant=spec.variant, **reading)
        if (spec.folder / "scheduler").is_dir():
            parts["scheduler"] = DDIMScheduler.from_pretrained(spec.folder / "scheduler")
        elif "unet" not in parts:
            parts["scheduler"] = DDIMScheduler.from_pretrained(base / "scheduler", **_DENOISED)
        if "unet" not in parts:
            check_weights(spec.folder)
            parts["motion_adapter"] = MotionAdapter.from_pretrained(
                spec.folder, variant=spec.variant, **reading
            )
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"{spec.name} cannot be loaded: {first_line(error)}",
            hint=f"Fetch it again with `studio models get {spec.name}`.",
        ) from None
    kind = ChannelFilmPipeline if "unet" in parts else AnimateDiffPipeline
    return open_folder(spec, device, placement, kind, base, **parts)


def base_of(spec: Spec) -> Path:
    """The folder of the model whose parts this one sets in motion.

    Raises:
        Unavailable: if it is not here.
    """
    base = spec.folder.parent / str(spec.options["base"])
    if not base.is_dir():
        raise Unavailable(
            f"{spec.name} sets {base.name} in motion, and that is not here.",
            hint=f"Get it with `studio models get {base.name}`.",
        )
    return base
