"""An asset pack: every icon in four styles, in a folder of its own.

python scripts/examples/asset_pack.py star heart moon --colour yellow --out icons
"""

from __future__ import annotations

import argparse
from pathlib import Path

from studio import Studio

STYLES = ("flat", "outline", "watercolor", "pixel art")


def main() -> None:
    """Make the pack; the same seed in every style keeps an icon's shape and place."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="+", metavar="NAME", help="what the icons show")
    parser.add_argument("--colour", default="yellow")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("icons"))
    given = parser.parse_args()
    with Studio() as studio:
        for name in given.names:
            for style in STYLES:
                folder = given.out / name / style.replace(" ", "-")
                folder.mkdir(parents=True, exist_ok=True)
                prompt = f"a {given.colour} {name} on a white background, {style}"
                for icon in studio.make("text-to-image", prompt=prompt, seed=given.seed):
                    print(icon.save(folder))


if __name__ == "__main__":
    main()
