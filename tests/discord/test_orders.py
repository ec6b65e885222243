"""From a typed command to a signed file in the channel."""

from __future__ import annotations

from pathlib import Path

from tests.discord.fake import BOB
from tests.discord.stage import Stage

LOADING, EPHEMERAL = 1 << 7, 1 << 6


def test_a_command_becomes_four_signed_pictures(stage: Stage, tmp_path: Path) -> None:
    async def scene() -> None:
        order = await stage.discord.slash("imagine", prompt="a yellow star", model="noise")
        kind, data, seconds = await order.answer()
        assert (kind, data.get("flags", 0)) == (5, 0)
        assert seconds < 1
        files = await order.files(4)
        assert "**a yellow star**" in order.said
        assert "AI-generated with noise" in order.said
        assert not order.message["flags"] & LOADING
        for number, file in enumerate(files, 1):
            assert await stage.verified(file, tmp_path) == "signed"
            assert file["description"] == f"AI-generated: a yellow star ({number} of 4)"
        # Progress was told in words; nothing was uploaded but the results.
        assert [len(edit.files) for edit in order.edits] == [0] * (len(order.edits) - 1) + [4]
        calls = stage.discord.called("PATCH", "/webhooks/")
        assert all(call.body["allowed_mentions"]["parse"] == [] for call in calls)

    stage.play(scene())


def test_what_is_wrong_is_said_to_whoever_typed_it_alone(stage: Stage) -> None:
    async def scene() -> None:
        order = await stage.discord.slash("imagine", prompt="a star", width=100)
        kind, data, _ = await order.answer()
        assert (kind, data["flags"]) == (4, EPHEMERAL)
        assert "width" in data["content"]
        assert "multiple of 8" in data["content"]
        order = await stage.discord.slash("imagine", who=BOB, prompt="x", model="nobody")
        await order.says("nobody")

    stage.play(scene())


def test_several_files_go_into_one_list(stage: Stage) -> None:
    async def scene() -> None:
        order = await stage.discord.slash("imagine", prompt="x", model="noise", count=2)
        files = [stage.discord.messages.file(one) for one in await order.files(2)]
        command = next(one for one in stage.discord.commands if one["name"] == "sheet")
        names = [one["name"] for one in command["options"]]
        assert names.count("images") == names.count("images_2") == 1
        sheet = await stage.discord.slash(
            "sheet", images=("1.png", files[0]), images_2=("2.png", files[1])
        )
        await sheet.until(lambda one: one.edits)
        job = (await stage.client().jobs(limit=1))[0]
        assert job.task == "contact-sheet"
        assert len(set(job.request["images"])) == 2

    stage.play(scene())
