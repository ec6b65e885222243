"""What the studio can do: tasks, models, devices; and whether it is well."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.encoders import jsonable_encoder

from studio import __version__
from studio.api.failures import routes
from studio.api.here import Here
from studio.checkup import Finding
from studio.errors import NotFound
from studio.fitting import Fit
from studio.imports import Survey, Wish
from studio.protocol import Model
from studio.shelf import Download
from studio.tasks import TASKS
from studio.worker.report import LaneState

router = routes("catalogue")


@router.get("/tasks")
async def list_tasks(
    client: Here, model: Annotated[str | None, Query(max_length=200)] = None
) -> list[dict[str, Any]]:
    """Every task with its fields; with the defaults and limits of `model`, if it can do it."""
    able = TASKS if model is None else (await _model(client, model)).card.studio.tasks
    return [
        {
            "id": task.id,
            "verb": task.verb,
            "title": task.title,
            "description": task.description,
            "makes": task.makes,
            "fields": [asdict(spec) for spec in await client.fields(task.id, model)],
        }
        for task in TASKS.values()
        if task.id in able
    ]


@router.get("/models")
async def list_models(client: Here) -> list[dict[str, Any]]:
    """Every model card, and whether the model's weights are here."""
    return [_record(model) for model in await client.cards()]


@router.get("/models/{name}")
async def read_model(client: Here, name: str) -> dict[str, Any]:
    """One model's card."""
    return _record(await _model(client, name))


@router.put("/models/{name}/weights", status_code=202)
async def get_model(client: Here, name: str) -> dict[str, Any]:
    """Begin to fetch a model's weights; `download` of its card says how far they are."""
    await client.get_model(name)
    return _record(await _model(client, name))


@router.delete("/models/{name}/download")
async def stop_model(client: Here, name: str) -> dict[str, Any]:
    """Stop fetching a model, whose files so far are kept, or importing one, whose are not."""
    await client.stop_model(name)
    # What is being imported has no card yet.
    models = [_record(model) for model in await client.cards() if model.card.name == name]
    return models[0] if models else {"name": name}


@router.delete("/models/{name}/weights")
async def remove_model(client: Here, name: str) -> dict[str, Any]:
    """Delete a model's weights from this machine; of an imported one the card goes, too."""
    model = await _model(client, name)
    await client.remove_model(name)
    return _record(replace(model, installed=False, vocabulary={}, download=None))


@router.get("/survey")
async def survey(
    client: Here,
    path: Annotated[str, Query(max_length=4000)],
    base: Annotated[str | None, Query(max_length=4000)] = None,
) -> Survey:
    """What models lie at a path of the studio's machine; nothing is changed."""
    return await client.survey(Path(path), base=base)


@router.post("/imports", status_code=202)
async def import_model(client: Here, wish: Wish) -> dict[str, str]:
    """Begin to import a checkpoint or a folder of the studio's machine; its card's name."""
    options = asdict(wish)
    return {"name": await client.import_model(Path(options.pop("path")), **options)}


@router.get("/imports")
async def list_imports(client: Here) -> dict[str, Download]:
    """How far imports are, by name; a finished one is among the models."""
    return await client.imports()


@router.get("/doctor")
async def read_doctor(client: Here) -> list[Finding]:
    """What is right with the studio's machine, what is not, and how to mend it."""
    return await client.examine()


@router.get("/devices")
async def list_devices(client: Here) -> list[LaneState]:
    """The devices, what each holds, and how fast it is."""
    return await client.devices()


@router.get("/fit")
async def list_fits(
    client: Here, model: Annotated[str | None, Query(max_length=200)] = None
) -> list[Fit]:
    """How a model, or every one, would run on each device; nothing is loaded."""
    return await client.fit(model)


@router.get("/health")
async def read_health(request: Request) -> dict[str, str]:
    """Whether the studio is up; `boot` is another one each time it was started."""
    return {"status": "ok", "version": __version__, "boot": request.app.state.host.boot}


async def _model(client: Here, name: str) -> Model:
    models = {model.card.name: model for model in await client.cards()}
    if name not in models:
        raise NotFound(
            f"There is no model called {name!r}.", hint=f"The models are: {', '.join(models)}."
        )
    return models[name]


def _record(model: Model) -> dict[str, Any]:
    card = model.card
    return {
        "name": card.name,
        "title": card.studio.title,
        "licence": card.licence,
        "installed": model.installed,
        "vocabulary": model.vocabulary,
        "download": model.download and asdict(model.download),
        "studio": card.studio.model_dump(mode="json"),
        "metadata": jsonable_encoder(card.metadata),
        "prose": card.prose,
    }
