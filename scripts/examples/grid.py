"""A comparison sheet: prompts × models × seeds, as one page.

python scripts/examples/grid.py "a red star" "a blue moon" --models starter-pictures --seeds 1 2
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

from markupsafe import escape

from studio import Studio

PAGE = """<!doctype html><meta charset="utf-8"><title>Comparison</title>
<style>body{{font:14px system-ui}}img{{width:16rem}}th{{text-align:left}}</style>
<table><tr><th></th>{head}</tr>
{rows}</table>
"""


def main() -> None:
    """Make every combination; `index.html` has a row per prompt, a column per model and seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("prompts", nargs="+", metavar="PROMPT")
    parser.add_argument("--models", nargs="+", default=["starter-pictures"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("grid"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    columns = list(product(given.models, given.seeds))
    rows = ""
    with Studio() as studio:
        for prompt in given.prompts:
            rows += f"<tr><th>{escape(prompt)}</th>"
            for model, seed in columns:
                (picture,) = studio.make("text-to-image", prompt=prompt, model=model, seed=seed)
                rows += (
                    f'<td><img src="{picture.save(given.out).name}" alt="{escape(prompt)}"></td>'
                )
            rows += "</tr>\n"
    head = "".join(f"<th>{escape(model)}, seed {seed}</th>" for model, seed in columns)
    page = given.out / "index.html"
    page.write_text(PAGE.format(head=head, rows=rows), encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
