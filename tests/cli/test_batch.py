"""`studio batch`, `recipe` and `reproduce` as a person runs them, killed and taken up again."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.cli.conftest import Shell, Up


def results(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's results."""
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def table(shell: Shell) -> str:
    """Four orders on two lines."""
    (shell.folder / "stars.csv").write_text(
        "prompt,seed\na {red|blue} star on white,{1..2}\n", encoding="utf-8"
    )
    return "stars.csv"


@pytest.fixture(scope="module")
def made(shell: Shell, table: str) -> Path:
    """The folder of a finished batch, whose command was killed on the way."""
    order = [sys.executable, "-m", "studio", "batch", table, "--task", "imagine", "--out", "stars"]
    process = subprocess.Popen(order, cwd=shell.folder, env=shell.environment)
    folder = shell.folder / "stars"
    give_up = time.monotonic() + 60
    while not list(folder.glob("*.png")) and time.monotonic() < give_up:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "results.csv").exists()
    ran = shell.run("batch", table, "--task", "imagine", "--out", "stars", "--verify")
    assert "4 of 4 rows done" in ran.out
    return folder


def test_a_killed_batch_ends_with_every_row_made_once(shell: Shell, made: Path) -> None:
    lines = results(made)
    assert [line["row"] for line in lines] == [1, 2, 3, 4]
    assert [line["seed"] for line in lines] == [1, 2, 1, 2]
    assert {line["verdict"] for line in lines} == {"signed"}
    assert len({line["artifact"] for line in lines}) == 4
    assert len(list((shell.home / "artifacts").glob("??/*.note.json"))) == 4
    for line in lines:
        with Image.open(made / line["file"]) as picture:
            assert picture.size == (512, 512)


def test_the_table_and_the_sheet_say_the_same(made: Path) -> None:
    with (made / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [line["file"] for line in results(made)]
    sheet = (made / "index.html").read_text(encoding="utf-8")
    for row in rows:
        assert f'src="{row["file"]}"' in sheet
    assert "a blue star on white" in sheet


def test_the_same_command_makes_nothing_more(shell: Shell, table: str, made: Path) -> None:
    before = results(made)
    shell.run("batch", table, "--task", "imagine", "--out", "stars")
    assert [line["artifact"] for line in results(made)] == [line["artifact"] for line in before]
    taken = shell.run(
        "batch", table, "--task", "imagine", "--set", "steps=4", "--out", "stars", status=64
    )
    assert "another run" in taken.err


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(
    shell: Shell, table: str, made: Path
) -> None:
    before = len(list((shell.home / "artifacts").glob("??/*.note.json")))
    order = ("batch", table, "--task", "imagine", "--dry-run")
    foretold = shell.run(*order, "--json").json
    assert foretold["rows"] == 4
    assert foretold["outputs"] == [["text-to-image", "starter-pictures", 4]]
    # Such pictures were made here already: half of them take half as long and as much room.
    assert foretold["unknown"] == 0
    size = sum(path.stat().st_size for path in made.glob("*.png"))
    assert foretold["size"] == pytest.approx(size, rel=0.01)
    assert 0 < foretold["seconds"] < 60
    assert "4 × text-to-image by starter-pictures" in shell.run(*order).out
    larger = shell.run(*order, "--set", "steps=50", "--json").json
    assert (larger["seconds"], larger["unknown"]) == (0, 4)
    assert len(list((shell.home / "artifacts").glob("??/*.note.json"))) == before


def test_a_signed_sheet_shows_all_the_pictures(
    shell: Shell, table: str, made: Path, up: Up
) -> None:
    shell.run("batch", table, "--task", "imagine", "--out", "stars", "--sheet")
    sheet = made / "contact-sheet-1.png"
    assert shell.run("verify", str(sheet), "--json").out.count("componentOf") >= 3
    with Image.open(sheet) as picture:
        assert picture.width > 4 * 256


def test_a_batch_ends_without_what_was_thrown_away_since(shell: Shell, up: Up) -> None:
    (shell.folder / "pair.csv").write_text("prompt,seed\na red star,11\na red star,12\n")
    order = ("batch", "pair.csv", "--task", "imagine", "--set", "steps=2", "--out", "kept")
    shell.run(*order)
    first, second = results(shell.folder / "kept")
    httpx.delete(f"{up.url}/api/v1/artifacts/{first['artifact']}").raise_for_status()
    shell.run(*order, "--sheet", "--verify")
    gone, kept = results(shell.folder / "kept")
    assert (gone["row"], gone["state"], gone["artifact"], gone["file"]) == (1, "done", None, None)
    assert (kept["artifact"], kept["verdict"]) == (second["artifact"], "signed")
    assert (shell.folder / "kept" / "contact-sheet-1.png").exists()


def test_names_follow_the_pattern_and_stay_in_the_folder(shell: Shell, up: Up) -> None:
    (shell.folder / "names.jsonl").write_text(
        '{"prompt": "a red/star", "seed": 3}\n{"prompt": "a red/star", "seed": 3}\n'
    )
    order = ("batch", "names.jsonl", "--task", "imagine", "--set", "steps=4")
    shell.run(*order, "--out", "named", "--name", "{seed}/{prompt}")
    assert [line["file"] for line in results(shell.folder / "named")] == [
        "3/a red-star.png",
        "3/a red-star (2).png",
    ]
    for pattern in ("../{row}", "/tmp/{row}", "{colour}", "{row"):
        shell.run(*order, "--out", "outside", "--name", pattern, status=64)
    assert not list(shell.folder.glob("*.png"))


def test_wrong_rows_are_told_all_at_once(shell: Shell, up: Up) -> None:
    (shell.folder / "wrong.csv").write_text("prompt,steps\na star,4\n,4\na star,x\n")
    ran = shell.run("batch", "wrong.csv", "--task", "imagine", "--out", "wrong", status=64)
    assert "line 3: prompt" in ran.err
    assert "line 4: steps" in ran.err
    ran = shell.run("batch", "wrong.csv", "--task", "imagine", "--out", "right", "--skip-bad")
    assert "1 of 1 rows done" in ran.out
    assert ran.err.count("left out") == 2


def test_a_recipe_is_made_from_an_output_and_run(shell: Shell, made: Path, up: Up) -> None:
    first = results(made)[0]
    written = shell.run("recipe", "from", first["artifact"]).out
    (shell.folder / "again.yaml").write_text(written, encoding="utf-8")
    shell.run("recipe", "run", "again.yaml", "--out", "again")
    (line,) = results(shell.folder / "again")
    drafts = [
        json.loads(next((shell.home / "artifacts").glob(f"??/{one}.note.json")).read_text())["note"]
        for one in (first["artifact"], line["artifact"])
    ]
    assert drafts[0]["draft_sha256"] == drafts[1]["draft_sha256"]
    shell.run(
        "recipe", "run", "again.yaml", "--set", "prompt=a green ring on black", "--out", "ring"
    )
    (line,) = results(shell.folder / "ring")
    assert line["values"]["prompt"] == "a green ring on black"


def test_an_output_is_reproduced_from_a_changed_copy(shell: Shell, made: Path, up: Up) -> None:
    source = made / results(made)[0]["file"]
    report = shell.run("reproduce", str(source), "--json").json
    assert report["identical"] is True
    with Image.open(source) as picture:
        picture.convert("RGB").save(shell.folder / "copy.jpg", quality=60)
    assert shell.run("reproduce", "copy.jpg", "--json").json["artifact"] == report["artifact"]
    Image.effect_noise((300, 300), 60).save(shell.folder / "noise.png")
    assert "no receipt" in shell.run("reproduce", "noise.png", status=66).err


def test_recipes_that_ship_are_listed_and_shown(shell: Shell) -> None:
    assert "Style board" in shell.run("recipe", "list").out
    assert "steps:" in shell.run("recipe", "show", "style-board").out
    assert "style-board" in shell.run("recipe", "show", "nothing", status=66).err


def test_runs_are_listed_and_a_step_is_made_again(shell: Shell, up: Up) -> None:
    (shell.folder / "pair.yaml").write_text(
        "name: pair\nsteps:\n"
        "  first: {task: imagine, with: {prompt: a red star, steps: 2}}\n"
        '  second: {task: letter, with: {image: "{first}", text: Hello}}\n'
        "  other: {task: imagine, with: {prompt: a blue star, steps: 2}}\n"
    )
    shell.run("recipe", "run", "pair.yaml", "--out", "pair")
    before = {line["step"]: line["artifact"] for line in results(shell.folder / "pair")}
    run = shell.run("recipe", "runs", "--json").json[0]
    assert (run["name"], run["state"], run["done"]) == ("pair", "done", 1)
    assert run["id"] in shell.run("recipe", "runs").out
    told = shell.run("recipe", "redo", run["id"], "first").out
    shell.run("recipe", "run", "pair.yaml", "--out", "pair")
    after = {line["step"]: line["artifact"] for line in results(shell.folder / "pair")}
    assert {step for step in before if before[step] != after[step]} == {"first", "second"}
    assert after["first"] in told
    assert "no step" in shell.run("recipe", "redo", run["id"], "third", status=66).err
