"""Dataset augmentation: a folder of pictures becomes a set with captions, splits and a card.

    python scripts/examples/augment.py photos --times 3 --out set

A picture's caption is in a text file of its name (`boat.txt` beside `boat.png`), or is its name.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

from studio import Studio

PICTURES = {".png", ".jpg", ".jpeg", ".webp"}

CARD = """---
license: other
task_categories: [text-to-image]
tags: [synthetic]
---

# {name}

{originals} pictures and {made} variations of them, made by image-to-image with Colophon; column
`source` names the picture that each comes from. Every variation is signed and says that it was
generated: `studio verify` checks it. All variations of a picture are in its own split.
"""


def caption_of(picture: Path) -> str:
    """What a picture shows, as its owner wrote it, or else as its file is called."""
    beside = picture.with_suffix(".txt")
    if beside.exists():
        return beside.read_text(encoding="utf-8").strip()
    return picture.stem.replace("-", " ").replace("_", " ")


def main() -> None:
    """Make the set; every fifth picture, with its variations, is for validation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=3, help="variations of each picture")
    parser.add_argument("--strength", type=float, default=0.5, help="how much may change: 0.1 to 1")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("set"))
    given = parser.parse_args()
    pictures = sorted(path for path in given.folder.iterdir() if path.suffix.lower() in PICTURES)
    rows: list[dict[str, str]] = []
    with Studio() as studio:
        for number, picture in enumerate(pictures):
            split = "validation" if number % 5 == 4 else "train"
            folder = given.out / split
            folder.mkdir(parents=True, exist_ok=True)
            caption = caption_of(picture)
            varied = studio.make(
                "image-to-image",
                image=picture,
                prompt=caption,
                strength=given.strength,
                seed=given.seed,
                count=given.times,
            )
            files = [Path(shutil.copy(picture, folder)), *(one.save(folder) for one in varied)]
            rows += [
                {
                    "file_name": file.relative_to(given.out).as_posix(),
                    "text": caption,
                    "source": picture.name,
                }
                for file in files
            ]
            print(f"{picture.name}: {len(varied)} variations, {split}")
    with (given.out / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ("file_name", "text", "source"))
        table.writeheader()
        table.writerows(rows)
    card = CARD.format(name=given.out.name, originals=len(pictures), made=len(rows) - len(pictures))
    (given.out / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
