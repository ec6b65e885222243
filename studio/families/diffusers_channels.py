"""A pipeline for films whose frames are the channels of one latent picture.

The denoiser is a plain `UNet2DConditionModel` that sees all frames at once, one after the other in
its channels; frames that are given are held while it draws the others, so that one model begins
films, sets pictures in motion, lets films go on and leads from one picture to another. This is
masked conditional video diffusion (MCVD, Voleti et al. 2022, arXiv 2205.09853) on latents. It suits
short films of few channels, which cost what one picture costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import retrieve_latents
from diffusers.utils.torch_utils import randn_tensor
from diffusers.video_processor import VideoProcessor
from PIL.Image import Image
from torch import Tensor


class ChannelFilmPipeline(StableDiffusionPipeline):  # type: ignore[misc]
    """A Stable Diffusion whose UNet has the channels of several frames."""

    #: How many pictures of a film it is given to go on from; of a shorter one, the last.
    goes_on_from = 4

    @cached_property
    def video_processor(self) -> VideoProcessor:
        """The library's own, for pictures on their way in and films on their way out."""
        return VideoProcessor(vae_scale_factor=self.vae_scale_factor)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str,
        width: int,
        height: int,
        num_frames: int,
        num_inference_steps: int,
        guidance_scale: float,
        negative_prompt: str | None = None,
        generator: torch.Generator | None = None,
        image: Image | Sequence[Image] | None = None,
        last_image: Image | None = None,
        video: Sequence[Image] | None = None,
        strength: float = 1.0,
        output_type: str = "np",
        callback_on_step_end: Callable[..., Any] | None = None,
    ) -> Any:
        """One film, as `postprocess_video` gives it.

        `image` is what the film begins with, one frame or several, and `last_image` what it ends
        with; they stay as they are. Where no `image` is given, `video`, one picture per frame, is
        redrawn as far as `strength` says. After every step the callback is told the latents
        (1, channels, frames, height, width).

        Raises:
            ValueError: if the UNet draws another number of frames.
        """
        channels = self.vae.config.latent_channels
        frames = self.unet.config.in_channels // channels
        if num_frames != frames:
            raise ValueError(f"its films have {frames} frames, and {num_frames} are asked for")
        device, guided = self._execution_device, guidance_scale > 1
        told, untold = self.encode_prompt(prompt, device, 1, guided, negative_prompt)
        words = torch.cat([untold, told]) if guided else told
        self.scheduler.set_timesteps(num_inference_steps, device=device)
        side = (height // self.vae_scale_factor, width // self.vae_scale_factor)
        shape = (1, frames, channels, *side)
        noise = randn_tensor(shape, generator=generator, device=device, dtype=words.dtype)
        latents, steps = noise * self.scheduler.init_noise_sigma, self.scheduler.timesteps
        if video is not None and image is None:
            made = min(int(num_inference_steps * strength), num_inference_steps)
            steps = steps[num_inference_steps - made :]
            film = self._latents_of(list(video), words, generator)
            latents = self.scheduler.add_noise(film[None], noise, steps[:1])
        begins = [image] if isinstance(image, Image) else list(image or ())
        ends = [] if last_image is None else [last_image]
        held = [*range(len(begins)), *range(frames - len(ends), frames)]
        if held:
            given = self._latents_of([*begins, *ends], words, generator)
        extra = self.prepare_extra_step_kwargs(generator, 0.0)
        self._num_timesteps = len(steps)
        for number, when in enumerate(steps):
            seen = self.scheduler.scale_model_input(latents, when)
            if held:
                seen = seen.clone()
                seen[:, held] = given
            asked = seen.flatten(1, 2).repeat(2 if guided else 1, 1, 1, 1)
            guess = self.unet(asked, when, encoder_hidden_states=words).sample
            if guided:
                free, guess = guess.chunk(2)
                guess = free + guidance_scale * (guess - free)
            stepped = self.scheduler.step(guess, when, latents.flatten(1, 2), **extra).prev_sample
            latents = stepped.unflatten(1, (frames, channels))
            if held:
                latents[:, held] = given
            if callback_on_step_end is not None:
                shown = {"latents": latents.transpose(1, 2)}
                callback_on_step_end(self, number, when, shown)
        drawn = self.vae.decode(latents[0] / self.vae.config.scaling_factor).sample
        self.maybe_free_model_hooks()
        return self.video_processor.postprocess_video(drawn.transpose(0, 1)[None], output_type)

    def _latents_of(
        self, pictures: list[Image], like: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        """The pictures as latents (pictures, channels, height, width)."""
        values = self.video_processor.preprocess(pictures).to(like)
        latents = retrieve_latents(self.vae.encode(values), generator, "argmax")
        scaled: Tensor = latents * self.vae.config.scaling_factor
        return scaled
