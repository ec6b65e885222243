"""Every line of the accelerator's benchmark runs, on a processor and with small shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from scripts.bench_gpu import SHAPES, main

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_the_small_shapes_come_work_and_go(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    result = tmp_path / "gpu.json"
    ran = CliRunner().invoke(main, ["--tiny", "--device", "cpu", "--json", str(result)])
    assert ran.exit_code == 0, ran.output
    measures = [row["measure"] for row in json.loads(result.read_text())["rows"]]
    for shape in SHAPES:
        assert f"{shape.name}: evict" in measures
    assert "SDXL, whole: evict by the family" in measures
    assert torch.get_default_dtype() is torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_an_accelerator_it_measures_nothing_and_says_so(tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["--json", str(tmp_path / "gpu.json")])
    assert "no CUDA device here" in str(ran.output) + str(ran.exception)
    assert ran.exit_code != 0
    assert not list(tmp_path.iterdir())
