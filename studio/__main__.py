"""The `studio` command. Each subcommand lives in a module of `studio.commands`."""

from __future__ import annotations

import json
import logging
import sys
from importlib import import_module
from typing import Any

import click

from studio import __version__
from studio.commands.log import keep_log
from studio.errors import Broken, Cancelled, StudioError
from studio.settings import studio_home

#: Subcommands, each in the module of `studio.commands` that holds it. They are imported when they
#: are run, so that `studio verify` does not pay for what `studio up` needs.
COMMANDS = {
    "up": "up",
    "make": "make",
    "chat": "chat",
    "batch": "batch",
    "recipe": "recipe",
    "story": "story",
    "watch": "watch",
    "reproduce": "reproduce",
    "verify": "verify",
    "lineage": "lineage",
    "subtitles": "subtitles",
    "midi": "midi",
    "voices": "voices",
    "tasks": "tasks",
    "models": "models",
    "devices": "devices",
    "users": "users",
    "bot": "bot",
    "keys": "keys",
    "audit": "audit",
    "gallery": "gallery",
    "doctor": "doctor",
}


class Commands(click.Group):
    """The subcommands, imported on demand; errors in their words, with their exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand called `cmd_name`."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = getattr(import_module(f"studio.commands.{module}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - tells mypy what getattr cannot
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand and explain what went wrong, never with a traceback."""
        try:
            return super().invoke(ctx)
        except StudioError as error:
            explain(error)
        except KeyboardInterrupt:
            explain(Cancelled("Stopped."))
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception:
            broken = Broken()
            keep_log(studio_home())
            logging.getLogger(__name__).exception("incident %s", broken.incident)
            explain(broken)


def explain(error: StudioError) -> None:
    """Say on stderr what went wrong and what to do next, and end with the error's own status.

    With `--json` on the command line stdout still holds one JSON value: the error's record.
    """
    if "--json" in sys.argv:
        click.echo(json.dumps(error.record(), ensure_ascii=False))
    click.echo(f"studio: {error.message}", err=True)
    if error.hint:
        click.echo(f"  {error.hint}", err=True)
    sys.exit(error.exit_code)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="studio")
def main() -> None:
    """Make pictures, sound, words and films on your own machine, and sign every one."""


if __name__ == "__main__":
    main()
