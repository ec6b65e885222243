"""Tables are read as people write them, and what is wrong is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import InvalidRequest
from studio.recipes.rows import Row, expand, read


def table(folder: Path, name: str, text: str | bytes) -> Path:
    """A file with this text."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_csv_counts_lines_as_an_editor_does(tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", '\ufeffprompt,seed\n"two\nlines",1\n\na star,\n')
    assert list(read(path)) == [
        Row(2, {"prompt": "two\nlines", "seed": "1"}),
        Row(5, {"prompt": "a star", "seed": ""}),
    ]


def test_all_formats_say_the_same(tmp_path: Path) -> None:
    csv = table(tmp_path, "a.csv", "prompt,steps\na star,4\n")
    tsv = table(tmp_path, "a.tsv", "prompt\tsteps\na star\t4\n")
    jsonl = table(tmp_path, "a.jsonl", '\n{"prompt": "a star", "steps": 4}\n')
    yaml = table(tmp_path, "a.yaml", "# orders\n- prompt: a star\n  steps: 4\n")
    assert [str(row.cells["steps"]) for path in (csv, tsv, jsonl, yaml) for row in read(path)] == [
        "4"
    ] * 4
    assert [row.line for path in (csv, tsv, jsonl, yaml) for row in read(path)] == [2, 2, 2, 2]


def test_a_row_becomes_every_combination(tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", "prompt,seed\na {red|blue} star,{1..2}\n")
    assert [(row.cells["prompt"], row.cells["seed"]) for row in read(path)] == [
        ("a red star", "1"),
        ("a red star", "2"),
        ("a blue star", "1"),
        ("a blue star", "2"),
    ]


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("{0.2..0.8..0.3}", ["0.2", "0.5", "0.8"]),
        ("{3..1}", ["3", "2", "1"]),
        ("{plain} {}", ["{plain} {}"]),
        ("{a | }", ["a", ""]),
    ],
)
def test_expansion(text: str, expanded: list[str]) -> None:
    assert expand(text, Path()) == expanded


def test_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "c.txt"):
        (tmp_path / name).touch()
    assert [Path(found).name for found in expand("{files:*.png}", tmp_path)] == ["a.png", "b.png"]
    for pattern in ("../*.png", "/etc/*", "*.jpg"):
        with pytest.raises(InvalidRequest):
            expand(f"{{files:{pattern}}}", tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "prompt,prompt\nx,y\n", "twice"),
        ("a.csv", "prompt\nx,y\n", "line 2: 2 cells"),
        ("a.csv", b"prompt\n\xff\n", "UTF-8"),
        ("a.csv", "prompt\n{1..3..0}\n", "never ends"),
        ("a.csv", "prompt\n{1..99999}\n", "more than"),
        ("a.csv", "a,b,c\n{1..100},{1..100},{1..100}\n", "combinations"),
        ("a.jsonl", "{\n", "line 1: not JSON"),
        ("a.jsonl", '{"prompt": {"x": 1}}\n', "prompt: a value"),
        ("a.yaml", "prompt: x\n", "no list"),
        ("a.yaml", "- [", "not YAML"),
        ("a.pdf", "", "no table"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        list(read(table(tmp_path, name, text)))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="No such file"):
        list(read(tmp_path / "none.csv"))
