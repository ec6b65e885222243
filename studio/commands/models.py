"""`studio models`: what is in the catalogue, what is installed, how to get or import the rest."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from studio.cards import ByHand, Card, Hub, Imported
from studio.catalog import Catalog
from studio.client import Studio
from studio.elsewhere import Hosted
from studio.errors import Cancelled, InvalidRequest, StudioError, Unavailable
from studio.imports import Found, Survey
from studio.settings import Settings
from studio.tasks import TASKS

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the models, show one, get or import one, remove one."""
    if context.invoked_subcommand is None:
        context.invoke(list_models, as_json=as_json)


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the catalogue; the starter models are always installed."""
    catalog = Catalog.open(Settings.load())
    if as_json:
        click.echo(json.dumps([_summary(catalog, card) for card in catalog], ensure_ascii=False))
        return
    for card in catalog:
        state = "installed" if catalog.installed(card) else "-"
        tasks = ", ".join(card.studio.tasks)
        click.echo(f"{card.name:28} {state:10} {card.licence:24} {tasks}")


@models.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one model: what it can do, what it takes, its licence, and what to mind."""
    catalog = Catalog.open(Settings.load())
    card = catalog[name]
    if as_json:
        click.echo(json.dumps(_details(catalog, card), ensure_ascii=False))
        return
    block = card.studio
    try:
        catalog.folder(card)
        state = "ready" if isinstance(block.source, Hosted) else "installed"
    except Unavailable as error:
        state = error.hint
    click.echo(f"{block.title} ({state})")
    if block.notice:
        click.echo(block.notice)
    click.echo(f"licence: {card.licence}{_forbids(card)}")
    if isinstance(block.source, Hub):
        size = f", {block.source.bytes / 1e9:.1f} GB" if block.source.bytes else ""
        gate = ", which wants its licence accepted first" if block.source.gated else ""
        click.echo(f"from: {block.source.repo} at {block.source.revision}{size}{gate}")
    if isinstance(block.source, ByHand):
        click.echo(f"by hand: {block.source.by_hand}")
    if isinstance(block.source, Imported):
        click.echo(f"from: {block.source.imported}, sha256 {block.source.sha256}")
    if isinstance(block.source, Hosted):
        click.echo(f"runs at: {block.source.provider}, as {block.source.model}")
        if block.prices is not None:
            click.echo(f"an output costs {block.prices.foreseen({})}, its words left out")
    click.echo(
        f"memory: {block.memory.weights:g} MB of weights, {block.memory.working:g} MB at work"
    )
    for task in block.tasks:
        click.echo(f"{task}:")
        for spec in card.fields(TASKS[task]):
            limits = "" if spec.minimum is None else f" ({spec.minimum} to {spec.maximum})"
            default = "" if spec.default is None else f" = {spec.default}"
            click.echo(f"  {spec.name}{default}{limits}")
    for doubt in block.unchecked:
        click.echo(f"unchecked: {doubt}")
    click.echo(f"\n{card.prose}")


@models.command("fit")
@click.argument("name", required=False)
@json_option
def show_fit(name: str | None, as_json: bool) -> None:
    """Show how a model, or every one, would run on this machine; nothing is loaded."""
    with Studio() as studio:
        found = studio.fit(name)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        size = f"{one.device_bytes / 1e9:.2f} GB"
        if one.host_bytes:
            size += f" and {one.host_bytes / 1e9:.2f} GB of main memory"
        click.echo(f"{one.card:28} {one.device:8} {one.placement or 'does not fit':15} {size}")
        if one.why:
            click.echo(f"  {one.why}")
        if one.nearest_bytes:
            click.echo(f"  It would run on a graphics card of {one.nearest_bytes / 1e9:.0f} GB.")


@models.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Accept the licence and the size without being asked.")
@json_option
def get(name: str, yes: bool, as_json: bool) -> None:
    """Fetch a model's weights, after showing its licence and size."""
    # Late, since only this command needs the hub's library.
    from studio import hub

    settings = Settings.load()
    catalog = Catalog.open(settings)
    card = catalog[name]
    catalog.permit(card)

    def confirm(offer: hub.Offer) -> bool:
        click.echo(
            f"{card.studio.title}: {len(offer.files)} files, {offer.size / 1e9:.2f} GB, licence "
            f"{card.licence}{_forbids(card)}\nfrom {_source(card)['repo']} at {offer.revision}",
            err=True,
        )
        return yes or click.confirm("Fetch it and accept the licence?", err=True)

    with tqdm(unit="B", unit_scale=True, file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        lock = hub.get(card, catalog.weights, confirm=confirm, progress=progress)
    if as_json:
        click.echo(json.dumps(_summary(catalog, card), ensure_ascii=False))
    else:
        click.echo(f"{card.studio.title} is installed, at {lock.revision}.")


@models.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it; else it is called like the file.")
@click.option("--base", help="An installed model, or a folder, that has what the file lacks.")
@click.option("--copy/--link", default=False, help="Copy a folder, or use it where it lies.")
@click.option("--licence", default="other", help="The licence the weights came with, if known.")
@click.option("--all", "everything", is_flag=True, help="Import all of a folder that can be.")
@click.option("--yes", is_flag=True, help="Import without being asked.")
@json_option
def import_model(
    path: Path,
    name: str | None,
    base: str | None,
    copy: bool,
    licence: str,
    everything: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Import a safetensors checkpoint, a diffusers folder, or what another program has.

    PATH may also be the models folder of A1111 or ComfyUI: what is there is listed then. Nothing
    of it is moved, changed or deleted.
    """
    options: dict[str, Any] = {"base": base, "copy": copy, "licence": licence}
    with Studio() as studio:
        survey = studio.survey(path.absolute(), base=base)
        ready = [one for one in survey.found if one.error is None]
        several = len(survey.found) > 1
        if not as_json or not ready:
            _show(survey)
        if len(survey.found) == 1 and survey.found[0].error is not None:
            raise StudioError.from_record(survey.found[0].error)
        if several and not everything:
            if as_json:
                click.echo(json.dumps(asdict(survey), ensure_ascii=False))
            return
        if name is not None and several:
            raise InvalidRequest(
                "One name cannot do for several models.", hint="Leave --name out, or import one."
            )
        if not yes and not click.confirm(f"Import {_count(ready)}?", err=True):
            raise Cancelled("Nothing was imported.")
        made = [_bring(studio, Path(one.path), {"name": name, **options}) for one in ready]
    if as_json:
        click.echo(json.dumps(made, ensure_ascii=False))
    else:
        for one in made:
            click.echo(f"{one} is imported; `studio make text-to-image --model {one}` tries it.")


def _bring(studio: Studio, path: Path, options: dict[str, Any]) -> str:
    """Import one and wait for it, showing how far it is; the name of its card."""
    name = studio.import_model(path, **options)
    with tqdm(unit="B", unit_scale=True, file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        try:
            while (one := studio.imports().get(name)) is not None:
                if one.error is not None:
                    studio.stop_model(name)
                    raise StudioError.from_record(one.error)
                bar.total = one.total
                bar.update(one.done - bar.n)
                time.sleep(0.1)
        except KeyboardInterrupt:
            studio.stop_model(name)
            raise
    return name


def _show(survey: Survey) -> None:
    if survey.layout:
        click.echo(f"A models folder of {survey.layout}:", err=True)
    for one in survey.found:
        click.echo(f"{one.path}\n  {_line(one)}", err=True)


def _line(found: Found) -> str:
    what = f"{found.title or 'no model'}, {found.size / 1e9:.2f} GB"
    if found.error is not None:
        return f"{what}: not imported. {found.error['message']} {found.error['hint']}"
    lender = f", with what {found.base} lends" if found.base else ""
    return f"{what}: can be imported as {found.name}{lender}"


def _count(ready: list[Found]) -> str:
    return ready[0].name if len(ready) == 1 else f"these {len(ready)} models"


@models.command()
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Delete a model's weights from this machine; its card stays.

    Of an imported model the card goes, with the studio's own copy; never a file of yours.
    """
    from studio import hub

    catalog = Catalog.open(Settings.load())
    card = catalog[name]
    if isinstance(card.studio.source, Imported):
        # A host that runs has the card in its catalogue.
        with Studio() as studio:
            studio.remove_model(name)
        summary = {"name": name, "installed": False}
    else:
        hub.remove(card, catalog.weights)
        summary = _summary(catalog, card)
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False))
    else:
        click.echo(f"{card.studio.title} is removed.")


def _summary(catalog: Catalog, card: Card) -> dict[str, Any]:
    installed = catalog.installed(card)
    return {
        "name": card.name,
        "title": card.studio.title,
        "tasks": list(card.studio.tasks),
        "family": card.studio.family,
        "licence": card.licence,
        "noncommercial": card.noncommercial,
        "installed": installed,
        "revision": catalog.revision(card) if installed else None,
        "source": _source(card),
        "notice": card.studio.notice,
    }


def _forbids(card: Card) -> str:
    return ", which forbids commercial use" if card.noncommercial else ""


def _details(catalog: Catalog, card: Card) -> dict[str, Any]:
    return _summary(catalog, card) | {
        "memory": card.studio.memory.model_dump(),
        "defaults": dict(card.studio.defaults),
        "limits": {
            name: limit.model_dump(exclude_defaults=True)
            for name, limit in card.studio.limits.items()
        },
        "dtype": card.studio.dtype,
        "unchecked": list(card.studio.unchecked),
        "prose": card.prose,
    }


def _source(card: Card) -> dict[str, Any]:
    source = card.studio.source
    return {"kind": type(source).__name__.lower(), **source.model_dump()}
