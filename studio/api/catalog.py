"""What the studio can do: tasks, models, devices; and whether it is well."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.encoders import jsonable_encoder

from studio import __version__
from studio.api.failures import FAILURES
from studio.api.here import Here
from studio.errors import NotFound
from studio.protocol import Model
from studio.tasks import TASKS
from studio.worker.supervisor import LaneState

router = APIRouter(tags=["catalogue"], responses=FAILURES)


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


@router.get("/devices")
async def list_devices(client: Here) -> list[LaneState]:
    """The devices, and what each holds."""
    return await client.devices()


@router.get("/health")
async def read_health() -> dict[str, str]:
    """Whether the studio is up."""
    return {"status": "ok", "version": __version__}


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
        "studio": card.studio.model_dump(mode="json"),
        "metadata": jsonable_encoder(card.metadata),
        "prose": card.prose,
    }
