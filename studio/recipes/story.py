"""Stories: a list of scenes, as people write it, becomes a recipe for one film.

    title: The red boat
    style: watercolor
    music: calm piano
    scenes:
      - {show: a red boat on the sea, say: There was a red boat.}
      - {show: a white house on a hill at night, say: It was far from home., seconds: 6}

Each scene is a picture, or a film made from it where `moving` is on, in which what is shown does
what `moves` says; with `transition: continue` each film goes on from the last picture of the one
before, as one continuous scene. What is said in
it is spoken, music plays under it all, and everything is put together into one signed film whose
lineage names every piece.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from studio.errors import InvalidRequest
from studio.fields import explain
from studio.recipes.document import Recipe
from studio.tasks.request import not_blank, plain_text

#: The most scenes of one story: each takes up to three of a recipe's steps.
MOST_SCENES = 30

_HINT = "A story has scenes, and each of them `show` and maybe `say` and `seconds`."
_Words = Annotated[
    str, Field(max_length=2000), AfterValidator(plain_text), AfterValidator(not_blank)
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Scene(_Part):
    """One scene."""

    #: What is seen.
    show: _Words
    #: What it does, where the scene is a film.
    moves: _Words | None = None
    #: What is said, and stands in the subtitles.
    say: _Words | None = None
    #: How long it lasts at least.
    seconds: Annotated[float, Field(ge=0.5, le=120)] | None = None


class Story(_Part):
    """A film of scenes."""

    title: _Words = "Story"
    #: Added to what every scene shows.
    style: _Words | None = None
    #: What the music is like; without it there is none.
    music: _Words | None = None
    language: _Words = "en-us"
    voice: _Words | None = None
    #: How long a picture stays at least whose scene does not say so; a film has its own length.
    seconds: Annotated[float, Field(ge=0.5, le=120)] = 4.0
    transition: Annotated[str, Field(pattern="^(cut|crossfade|continue)$")] = "crossfade"
    #: Whether each scene's picture is brought to life by an image-to-video model.
    moving: bool = False
    #: Whether the words are in the picture as well.
    burnt: bool = False
    width: int = 512
    height: int = 512
    seed: Annotated[int, Field(ge=0, le=2**52)] = 1
    scenes: Annotated[tuple[Scene, ...], Field(min_length=1, max_length=MOST_SCENES)]

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.transition == "continue" and not self.moving:
            raise ValueError("only films can continue each other; set moving: true")
        if not self.moving and any(scene.moves for scene in self.scenes):
            raise ValueError("only films can move; set moving: true")
        return self

    @staticmethod
    def read(text: str) -> Story:
        """The story that a YAML text tells.

        Raises:
            InvalidRequest: naming everything that is wrong with it.
        """
        try:
            return Story.model_validate(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise InvalidRequest(f"The story is not YAML: {error}.", hint=_HINT) from None
        except ValidationError as error:
            raise InvalidRequest(f"The story is wrong: {explain(error)}.", hint=_HINT) from None

    def _styled(self, text: str) -> str:
        return _plain(text if self.style is None else f"{text}, {self.style}")

    def recipe(self) -> Recipe:
        """The steps that make it: pictures, voices, music, and the film of them."""
        steps: dict[str, dict[str, Any]] = {}
        shown, said = [], []
        for number, scene in enumerate(self.scenes, 1):
            seed = self.seed + number
            picture, film = f"picture_{number}", f"film_{number}"
            if self.transition == "continue" and number > 1:
                steps[picture] = _step("video-still", video=f"{{film_{number - 1}}}")
            else:
                steps[picture] = _step("text-to-image", prompt=self._styled(scene.show), seed=seed)
            if self.moving:
                happens = " ".join(filter(None, (scene.show, scene.moves)))
                steps[film] = _step(
                    "image-to-video",
                    image=f"{{{picture}}}",
                    prompt=self._styled(happens),
                    seed=seed,
                )
            shown.append(film if self.moving else picture)
            if scene.say is not None:
                said.append(f"voice_{number}")
                steps[said[-1]] = _step(
                    "text-to-speech",
                    text=_plain(scene.say),
                    language=self.language,
                    voice=self.voice,
                )
        if self.music is not None:
            steps["music"] = _step(
                "text-to-music",
                prompt=_plain(self.music),
                duration=20.0,
                loopable=True,
                seed=self.seed,
            )
        whole = _step(
            "film-assembly",
            scenes=[f"{{{name}}}" for name in shown],
            captions=[_plain(scene.say or "") for scene in self.scenes],
            seconds=self.seconds,
            lengths=["" if one.seconds is None else f"{one.seconds:g}" for one in self.scenes],
            transition="cut" if self.transition == "continue" else self.transition,
            burnt=self.burnt,
            width=self.width,
            height=self.height,
        )
        if said:
            whole["with"]["narration"] = [
                f"{{voice_{number}}}" if scene.say else ""
                for number, scene in enumerate(self.scenes, 1)
            ]
        if self.music is not None:
            whole["with"]["soundtrack"] = "{music}"
        steps["film"] = whole
        name = re.sub(r"[^a-z0-9]+", "_", self.title.lower()).strip("_")[:40].rstrip("_")
        return Recipe.of(
            {
                "name": name if re.match("[a-z]", name) else "story",
                "title": self.title[:500],
                "steps": steps,
                "outputs": ["film"],
            }
        )


def _step(task: str, **fields: Any) -> dict[str, Any]:
    return {"task": task, "with": {n: value for n, value in fields.items() if value is not None}}


def _plain(text: str) -> str:
    """The text for a template, in which a brace is only a brace."""
    return text.replace("{", "{{").replace("}", "}}")
