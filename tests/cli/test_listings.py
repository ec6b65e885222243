"""`studio tasks`, `models` and `doctor` say what is here."""

import json

from studio.tasks import TASKS
from tests.cli.conftest import Shell


def test_tasks_lists_every_task_with_every_field(shell: Shell) -> None:
    listed = {task["id"]: task for task in shell.run("tasks", "--json").json}
    assert set(listed) == set(TASKS)
    for task in TASKS.values():
        names = {field["name"] for field in listed[task.id]["fields"]}
        assert names == set(task.request.model_fields)


def test_tasks_for_people_names_the_limits(shell: Shell) -> None:
    assert "64 to 4096, by 8" in shell.run("tasks").out


def test_models_lists_the_cards_and_shows_one(shell: Shell) -> None:
    names = {model["name"]: model for model in shell.run("models", "list", "--json").json}
    assert {"starter-pictures", "stable-diffusion-1.5", "sdxl-base-1.0"} <= set(names)
    assert names["starter-pictures"]["installed"]
    assert not names["sdxl-base-1.0"]["installed"]
    shown = shell.run("models", "show", "sdxl-base-1.0").out
    assert "openrail" in shown


def test_doctor_finds_this_machine_fit(shell: Shell) -> None:
    findings = {finding["name"]: finding for finding in shell.run("doctor", "--json").json}
    assert findings["torch"]["state"] == "ok"
    assert findings["network"]["state"] == "ok"
    assert "starter-pictures" in findings["models"]["message"]


def test_doctor_notices_a_home_that_others_can_read(shell: Shell) -> None:
    shell.home.mkdir(exist_ok=True)
    shell.home.chmod(0o755)
    ran = shell.run("doctor", "--json", status=1)
    shell.home.chmod(0o700)
    wrong = [finding for finding in json.loads(ran.out) if finding["state"] == "wrong"]
    assert [finding["name"] for finding in wrong] == ["home"]
    assert "chmod 700" in wrong[0]["mend"]


def test_help_is_short_and_whole(shell: Shell) -> None:
    out = shell.run("--help").out
    for command in ("up", "make", "verify", "tasks", "models", "keys", "doctor"):
        assert command in out
    assert "--negative-prompt" in shell.run("make", "text-to-image", "--help").out
