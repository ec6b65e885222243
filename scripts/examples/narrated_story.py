"""A narrated story: a text file, a line per scene, becomes pictures, a voice, music and a film.

    python scripts/examples/narrated_story.py story.txt --style watercolor --out film

A line is what is said; what is shown stands before it and a colon, or is the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from studio import Studio


def main() -> None:
    """Make each scene's picture and voice, one piece of music, and the film of them all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("story", type=Path)
    parser.add_argument("--style", default="watercolor")
    parser.add_argument("--music", default="calm piano")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--side", type=int, default=512, help="of the film, in pixels")
    parser.add_argument("--out", type=Path, default=Path("film"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    pictures, voices, lines = [], [], []
    with Studio() as studio:
        for line in filter(None, map(str.strip, given.story.read_text("utf-8").splitlines())):
            shown, _, said = line.rpartition(":")
            prompt = f"{shown or said}, {given.style}"
            (picture,) = studio.make("text-to-image", prompt=prompt, seed=given.seed)
            (voice,) = studio.make("text-to-speech", text=said.strip())
            pictures.append(picture.artifact.id)
            voices.append(voice.artifact.id)
            lines.append(said.strip())
        (music,) = studio.make(
            "text-to-music", prompt=given.music, duration=20.0, loopable=True, seed=given.seed
        )
        (film,) = studio.make(
            "film-assembly",
            scenes=pictures,
            narration=voices,
            captions=lines,
            soundtrack=music.artifact.id,
            width=given.side,
            height=given.side,
        )
        print(film.save(given.out))


if __name__ == "__main__":
    main()
