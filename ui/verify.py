"""The page on which anybody's file is checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio
import gradio as gr
from markupsafe import Markup

from studio.client import Client
from studio.errors import InvalidRequest, StudioError
from studio.provenance.verdict import Verdict
from ui import verdicts
from ui.explain import as_studio_error
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.tongue import language_of, later

#: How the manifest of a file that cannot hold one ends.
_MANIFEST = ".c2pa"


class VerifyPage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=2, min_width=300, elem_id="form"):
                heading = tag("h2", later("verify.title")) + tag("p", later("verify.how"))
                panel("verify-title", heading)
                files = gr.File(
                    label=later("verify.drop"),
                    file_count="multiple",
                    type="filepath",
                    elem_id="verify-files",
                )
            with gr.Column(scale=3, min_width=300, elem_id="work"):
                found = panel("verify-found")
        pages.load(self.explain, None, [found], **QUIET)
        files.upload(self.check, [files], [found, files], **QUIET)

    def explain(self, request: gr.Request) -> Markup:
        """What can be found, before anything was dropped."""
        return verdicts.checks([], language_of(request))

    async def check(self, request: gr.Request, files: list[str]) -> tuple[Markup, None]:
        """Check the files one by one, and delete them whatever happens."""
        client = self._clients(request)
        found = [await _check(client, *pair) for pair in _pairs([Path(file) for file in files])]
        return verdicts.checks(found, language_of(request)), None


def _pairs(files: Sequence[Path]) -> list[tuple[Path, Path | None]]:
    """Each file with the `.c2pa` file that is named after it, or that came alone with it."""
    manifests = [file for file in files if file.suffix.lower() == _MANIFEST]
    rest = [file for file in files if file not in manifests]
    if len(rest) == len(manifests) == 1:
        return [(rest[0], manifests[0])]
    named = {manifest.stem: manifest for manifest in manifests}
    pairs = [(file, named.pop(file.name, named.pop(file.stem, None))) for file in rest]
    return [*pairs, *((manifest, None) for manifest in named.values())]


async def _check(
    client: Client, file: Path, manifest: Path | None
) -> tuple[str, Verdict | StudioError]:
    try:
        if manifest is not None:
            # Gradio gives every file a folder of its own.
            manifest = manifest.rename(file.with_name(f"{file.name}{_MANIFEST}"))
        elif file.suffix.lower() == _MANIFEST:
            raise InvalidRequest(
                "This is the manifest of another file.",
                hint="Drop it together with the file that it belongs to.",
            )
        return file.name, await client.verify(file)
    except Exception as error:
        return file.name, as_studio_error(error)
    finally:
        for one in filter(None, (file, manifest)):
            await anyio.Path(one).unlink(missing_ok=True)
