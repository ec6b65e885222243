"""The tasks: what people can ask the studio for. Everything else is derived from `TASKS`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from studio.errors import NotFound
from studio.tasks.assembly import ContactSheet, FilmAssembly
from studio.tasks.audio import (
    AudioMastering,
    AudioMixing,
    AudioMorphing,
    TextToAudio,
    TextToMusic,
    TextToSpeech,
)
from studio.tasks.clips import VideoInterpolation, VideoLooping, VideoStill, VideoUpscaling
from studio.tasks.image import (
    ImageConversion,
    ImageLettering,
    ImageToImage,
    ImageUpscaling,
    Inpainting,
    LatentWalk,
    TextToImage,
)
from studio.tasks.listening import AutomaticSpeechRecognition
from studio.tasks.objects import ImageTo3D, ObjectTurntable, TextTo3D
from studio.tasks.request import Kind, Request
from studio.tasks.text import (
    PromptExpansion,
    QuestionAnswering,
    Summarization,
    TextGeneration,
    TextNoising,
    TextRewriting,
    Translation,
)
from studio.tasks.video import (
    ImageMorphing,
    ImageToVideo,
    PromptTravel,
    TextToVideo,
    VideoExtension,
    VideoToVideo,
)
from studio.tasks.vision import (
    ImageRanking,
    ImageToText,
    VisualQuestionAnswering,
    ZeroShotImageClassification,
)
from studio.tasks.voices import SpeakerComparison, VoiceCloning


@dataclass(frozen=True)
class Task:
    """One thing that people can ask for."""

    #: The field's standard name, as model hubs use it.
    id: str
    #: The short verb for slash commands and menus.
    verb: str
    #: The request that describes an order; its docstring is the task's description.
    request: type[Request]
    #: What comes out.
    makes: Kind
    #: Whether several outputs of one job are the parts of a whole, which follows them as the last.
    joins: bool = False

    @property
    def title(self) -> str:
        """The task's name for people: 'Text to image'."""
        return self.id.replace("-", " ").capitalize().replace("3d", "3D")

    @property
    def description(self) -> str:
        """One sentence that says what the task does."""
        return (self.request.__doc__ or "").partition("\n")[0]

    @property
    def positional(self) -> str:
        """The first required field: what a person types without naming it."""
        return next(n for n, f in self.request.model_fields.items() if f.is_required())


def _by_id(tasks: Iterable[Task]) -> Mapping[str, Task]:
    return MappingProxyType({task.id: task for task in tasks})


TASKS: Mapping[str, Task] = _by_id(
    [
        Task("text-to-image", "imagine", TextToImage, makes="image"),
        Task("image-to-image", "edit", ImageToImage, makes="image"),
        Task("inpainting", "inpaint", Inpainting, makes="image"),
        Task("latent-walk", "walk", LatentWalk, makes="image"),
        Task("image-upscaling", "upscale", ImageUpscaling, makes="image"),
        Task("image-conversion", "convert", ImageConversion, makes="image"),
        Task("image-lettering", "letter", ImageLettering, makes="image"),
        Task("contact-sheet", "sheet", ContactSheet, makes="image"),
        Task("text-to-video", "film", TextToVideo, makes="video"),
        Task("image-to-video", "animate", ImageToVideo, makes="video"),
        Task("video-to-video", "restyle", VideoToVideo, makes="video"),
        Task("video-extension", "extend", VideoExtension, makes="video"),
        Task("prompt-travel", "travel", PromptTravel, makes="video"),
        Task("image-morphing", "bridge", ImageMorphing, makes="video"),
        Task("video-still", "still", VideoStill, makes="image"),
        Task("video-interpolation", "smooth", VideoInterpolation, makes="video"),
        Task("video-looping", "loop", VideoLooping, makes="video"),
        Task("video-upscaling", "enlarge", VideoUpscaling, makes="video"),
        Task("film-assembly", "cut", FilmAssembly, makes="video"),
        Task("text-to-3d", "sculpt", TextTo3D, makes="mesh"),
        Task("image-to-3d", "carve", ImageTo3D, makes="mesh"),
        Task("object-turntable", "turn", ObjectTurntable, makes="video"),
        Task("text-to-music", "compose", TextToMusic, makes="audio"),
        Task("text-to-audio", "sound", TextToAudio, makes="audio"),
        Task("text-to-speech", "speak", TextToSpeech, makes="audio", joins=True),
        Task("voice-cloning", "clone", VoiceCloning, makes="audio"),
        Task("speaker-comparison", "recognise", SpeakerComparison, makes="text"),
        Task("audio-morphing", "morph", AudioMorphing, makes="audio"),
        Task("audio-mastering", "master", AudioMastering, makes="audio"),
        Task("audio-mixing", "mix", AudioMixing, makes="audio"),
        Task(
            "automatic-speech-recognition", "transcribe", AutomaticSpeechRecognition, makes="text"
        ),
        Task("text-generation", "write", TextGeneration, makes="text"),
        Task("prompt-expansion", "improve", PromptExpansion, makes="text"),
        Task("summarization", "summarise", Summarization, makes="text"),
        Task("translation", "translate", Translation, makes="text"),
        Task("text-rewriting", "rewrite", TextRewriting, makes="text"),
        Task("text-noising", "garble", TextNoising, makes="text"),
        Task("question-answering", "answer", QuestionAnswering, makes="text"),
        Task("image-to-text", "describe", ImageToText, makes="text"),
        Task("visual-question-answering", "ask", VisualQuestionAnswering, makes="text"),
        Task(
            "zero-shot-image-classification", "classify", ZeroShotImageClassification, makes="text"
        ),
        Task("image-ranking", "rank", ImageRanking, makes="text"),
    ]
)


def find_task(name: str) -> Task:
    """The task with this id or verb.

    Raises:
        NotFound: with the names that would have worked.
    """
    for task in TASKS.values():
        if name in (task.id, task.verb):
            return task
    known = ", ".join(sorted(TASKS))
    raise NotFound(f"There is no task called {name!r}.", hint=f"The tasks are: {known}.")
