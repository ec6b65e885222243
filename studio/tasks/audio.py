"""Requests that make sound."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from studio.tasks.image import MediaId
from studio.tasks.request import Advanced, Media, Multiline, Prompt, Request, Text, not_blank

AudioFormat = Literal["wav", "flac", "mp3", "m4a", "ogg", "opus"]

#: A word or two, of which a model's card says which it knows.
_Term = Annotated[Text, Field(min_length=1, max_length=40)]


class _Sound(Request):
    """What every request for a sound can say beside what it is about."""

    format: Annotated[AudioFormat, Advanced()] = Field(
        "wav", title="Format", description="File format of the result."
    )


class TextToMusic(_Sound):
    """Compose music from a description."""

    prompt: Prompt = Field(title="Prompt", description="What the music should be like.")
    duration: Annotated[float, Field(ge=1, le=600)] = Field(
        10.0, title="Duration", description="Length in seconds."
    )
    genre: _Term | None = Field(None, title="Genre", description="The style of the music.")
    mood: _Term | None = Field(None, title="Mood", description="The feeling of the music.")
    tempo: Annotated[float, Field(ge=20, le=400)] | None = Field(
        None, title="Tempo", description="Beats per minute."
    )
    key: _Term | None = Field(None, title="Key", description="Tonic and mode, as in 'C minor'.")
    metre: Annotated[_Term, Advanced()] | None = Field(
        None, title="Metre", description="How a bar is counted, as in 3/4."
    )
    loopable: bool = Field(
        False, title="Loopable", description="Whether the end leads back to the beginning."
    )
    stems: Annotated[bool, Advanced()] = Field(
        False,
        title="Stems",
        description="Whether each part of the music is an output of its own; the mix comes last.",
    )
    melody: Annotated[MediaId, Media("audio", "inputTo")] | None = Field(
        None, title="Melody", description="A tune to follow: hummed, played, or an output's id."
    )
    continue_from: Annotated[MediaId, Media("audio")] | None = Field(
        None,
        title="Continue from",
        description="A piece to go on from: it comes first, and the duration is what is added.",
    )


class TextToAudio(_Sound):
    """Make a sound effect or a soundscape from a description."""

    prompt: Prompt = Field(title="Prompt", description="What is to be heard.")
    duration: Annotated[float, Field(ge=0.5, le=300)] = Field(
        5.0, title="Duration", description="Length in seconds."
    )
    loopable: bool = Field(
        False, title="Loopable", description="Whether the end leads back to the beginning."
    )
    lyrics: Annotated[Text, Field(max_length=8000), Multiline()] = Field(
        "", title="Lyrics", description="What is sung, for models of songs; empty is instrumental."
    )
    negative_prompt: Annotated[Text, Field(max_length=4000), Multiline(), Advanced()] = Field(
        "", title="Negative prompt", description="What should not be heard."
    )
    steps: Annotated[int, Field(ge=1, le=500), Advanced()] = Field(
        100, title="Steps", description="Denoising steps: more is slower and often finer."
    )
    guidance: Annotated[float, Field(ge=0, le=30), Advanced()] = Field(
        4.5, title="Guidance", description="How closely to follow the prompt."
    )


class AudioMorphing(_Sound):
    """Turn one sound into another; every sound on the way is an output."""

    audio: Annotated[MediaId, Media("audio", "componentOf")] = Field(
        title="From", description="The sound to begin with: an output's or an upload's id."
    )
    target: Annotated[MediaId, Media("audio", "componentOf")] = Field(
        title="To", description="The sound to end with."
    )
    position: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, title="Position", description="How far on the way, where there is one output alone."
    )
    count: Annotated[int, Field(ge=1, le=64)] = Field(
        1, title="Count", description="How many to make; several go all the way in equal steps."
    )


class TextToSpeech(_Sound):
    """Read a text aloud."""

    text: Annotated[
        Text, Field(min_length=1, max_length=20_000), AfterValidator(not_blank), Multiline()
    ] = Field(title="Text", description="What to say; [pause 0.5s] is half a second of silence.")
    language: _Term = Field(
        "en-us", title="Language", description="The language of the text, as in en, de or pt-br."
    )
    voice: _Term | None = Field(None, title="Voice", description="Who or how it is said.")
    speed: Annotated[float, Field(ge=0.5, le=2)] = Field(
        1.0, title="Speed", description="How fast it is said: 2 is twice as fast."
    )
    pitch: Annotated[float, Field(ge=0.5, le=2), Advanced()] = Field(
        1.0, title="Pitch", description="How high it is said: above 1 is higher."
    )
    count: Annotated[int, Field(ge=1, le=64)] = Field(
        1,
        title="Count",
        description="In how many parts; each can be heard once it is said, the whole at the end.",
    )


class AudioMastering(_Sound):
    """Finish a sound: cut it, take silence away, set its loudness, fade it."""

    audio: Annotated[MediaId, Media("audio")] = Field(
        title="Sound", description="The sound: an output's or an upload's id."
    )
    loudness: Annotated[float, Field(ge=-40, le=-6)] | None = Field(
        -16.0, title="Loudness", description="How loud in LUFS; -14 to -16 is usual online."
    )
    trim: bool = Field(
        False, title="Trim", description="Whether to take away the silence at both ends."
    )
    begin: Annotated[float, Field(ge=0, le=36_000)] = Field(
        0.0, title="Begin", description="Where to begin, in seconds."
    )
    end: Annotated[float, Field(ge=0.1, le=36_000)] | None = Field(
        None, title="End", description="Where to end, in seconds; empty is the sound's own end."
    )
    fade_in: Annotated[float, Field(ge=0, le=60)] = Field(
        0.0, title="Fade in", description="Seconds over which it begins."
    )
    fade_out: Annotated[float, Field(ge=0, le=60)] = Field(
        0.0, title="Fade out", description="Seconds over which it ends."
    )
    rate: Annotated[Literal["16000", "22050", "32000", "44100", "48000"], Advanced()] | None = (
        Field(None, title="Rate", description="Samples per second; empty keeps the sound's own.")
    )


class AudioMixing(_Sound):
    """Lay a voice over music, which steps back while it speaks."""

    voice: Annotated[MediaId, Media("audio", "componentOf")] = Field(
        title="Voice", description="Who speaks: an output's or an upload's id."
    )
    music: Annotated[MediaId, Media("audio", "componentOf")] = Field(
        title="Music", description="What plays: it is repeated or cut to the voice's length."
    )
    duck: Annotated[float, Field(ge=0, le=40)] = Field(
        12.0, title="Duck", description="By how many decibels the music steps back."
    )
    music_level: Annotated[float, Field(ge=-40, le=12)] = Field(
        -3.0, title="Music level", description="How loud the music is, in decibels of its own."
    )
