"""`studio chat`: a conversation in the terminal, the same that the page shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import click

from studio.client import Studio
from studio.errors import InvalidRequest, NotFound, StudioError
from studio.job import Job, JobState, Loading, Queued, TextDelta
from studio.talk import Conversation, Reply
from studio.tasks.request import cleaned

_HOW = (
    "Write, and press Enter. Ctrl-C or /stop ends an answer, /continue goes on with it, "
    "/regenerate asks for another, /export FILE keeps the conversation as .md or .json, "
    "/quit leaves."
)


@click.command()
@click.option("--model", help="Which model answers; otherwise the best one installed.")
@click.option("--system", help="Who the model is to be, and how it is to write.")
@click.option(
    "--image",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A picture that the first message is about.",
)
@click.option("--resume", metavar="ID", help="Go on with a conversation.")
def chat(model: str | None, system: str | None, image: Path | None, resume: str | None) -> None:
    """Talk with a model: type, or pipe one message a line into it."""
    with Studio() as studio:
        if resume is None:
            found = studio.start_conversation(model=model, system=system or "")
        else:
            found = studio.change_conversation(resume, model=model, system=system)
            for turn in found.turns:
                click.echo(f"> {turn.text}\n{turn.replies[-1].text}\n")
        shown = None if image is None else studio.upload(image).id
        if sys.stdin.isatty():
            # The arrow keys bring back what was typed before.
            import readline  # noqa: F401

            click.echo(_HOW, err=True)
        talk = _Talk(studio, found.id, shown)
        while (line := _line()) is not None and line != "/quit":
            try:
                talk.hear(line)
            except StudioError as error:
                click.echo(f"studio: {error}", err=True)
        click.echo(f"Go on with: studio chat --resume {found.id}", err=True)


class _Talk:
    """One conversation at the terminal."""

    def __init__(self, studio: Studio, conversation: str, image: str | None) -> None:
        """`image` is the id of the picture that the first message is about."""
        self._studio = studio
        self._conversation = conversation
        self._image = image

    def hear(self, line: str) -> None:
        """Do what a line says: a command after a slash, or words for the model."""
        word, _, rest = line.partition(" ")
        if word in _COMMANDS:
            _COMMANDS[word](self, rest.strip())
        elif line.startswith("/"):
            raise InvalidRequest(f"There is no command {word}.", hint=_HOW)
        elif line.strip():
            job = self._studio.talk(self._conversation, line, image=self._image)
            self._image = None
            self._show(job)

    def regenerate(self, _: str) -> None:
        """Show another answer to what was said last."""
        self._show(self._studio.regenerate(self._conversation))

    def go_on(self, _: str) -> None:
        """Show how the last answer goes on, with what there was of it."""
        self._show(self._studio.go_on(self._conversation))

    def stop(self, _: str) -> None:
        """Stop an answer that is on its way, as after a `--resume`."""
        reply = self._last()
        if not reply.state.final:
            self._studio.cancel(reply.job)

    def export(self, name: str) -> None:
        """Write the conversation into a new file, as its ending says."""
        path = Path(name or f"conversation-{self._conversation[:8]}.md")
        found = self._studio.conversation(self._conversation)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(_exported(found, path))
        except OSError as error:
            raise InvalidRequest(
                f"{path} cannot be written: {error.strerror}.", hint="Choose another name."
            ) from None
        click.echo(path, err=True)

    def _show(self, job: Job) -> None:
        """The answer as it is written; Ctrl-C stops it."""
        streamed = False
        try:
            for event in self._studio.events(job.id):
                match event:
                    case Queued(ahead=ahead) if ahead:
                        click.echo(f"waiting, {ahead} ahead", err=True)
                    case Loading(card=card):
                        click.echo(f"loading {card}", err=True)
                    case TextDelta(text=text):
                        # It reaches a terminal, which obeys what nobody can see.
                        click.echo(cleaned(text), nl=False)
                        streamed = True
        except KeyboardInterrupt:
            self._studio.cancel(job.id)
            for _ in self._studio.events(job.id):
                pass
        reply = self._last()
        click.echo("" if streamed else reply.text)
        for remark in reply.remarks:
            click.echo(f"studio: {remark}", err=True)
        if reply.state is JobState.CANCELLED:
            click.echo("stopped", err=True)
        elif reply.error is not None:
            raise StudioError.from_record(reply.error)

    def _last(self) -> Reply:
        turns = self._studio.conversation(self._conversation).turns
        if not turns:
            raise NotFound("Nothing was said yet.", hint="Write something first.")
        return turns[-1].replies[-1]


_COMMANDS: Mapping[str, Callable[[_Talk, str], None]] = MappingProxyType(
    {
        "/regenerate": _Talk.regenerate,
        "/continue": _Talk.go_on,
        "/export": _Talk.export,
        "/stop": _Talk.stop,
    }
)


def _line() -> str | None:
    """The next line that somebody typed; None when there will be none."""
    try:
        return input("> " if sys.stdin.isatty() else "")
    except (EOFError, KeyboardInterrupt):
        return None


def _exported(conversation: Conversation, path: Path) -> str:
    if path.suffix == ".json":
        return json.dumps(conversation.record(), ensure_ascii=False, indent=2)
    return conversation.markdown()
