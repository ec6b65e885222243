"""Write down the words that a starter model knows, so that the studio can name the ones that it
does not.

python scripts/train_starter/vocabulary.py --out studio/starter/pictures/vocabulary.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from world import first, words


def document(groups: dict[str, list[str]]) -> str:
    """The JSON text: the groups, for a palette to click."""
    return json.dumps({"groups": groups}, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--world", choices=("first", "full"), default="first")
    options = parser.parse_args()
    vocabulary = words.vocabulary if options.world == "full" else first.vocabulary
    options.out.write_text(document(vocabulary()), encoding="utf-8")


if __name__ == "__main__":
    main()
