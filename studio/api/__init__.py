"""The HTTP API: FastAPI, one endpoint per task, derived from `TASKS`. Everything else is a client.

`create_app` makes the application; pages are mounted beside it. The gate stands around it all, so
what is mounted later is behind it too.
"""

from __future__ import annotations

from fastapi import FastAPI

from studio import __version__
from studio.api import (
    artifacts,
    catalog,
    consents,
    failures,
    gallery,
    jobs,
    orders,
    presets,
    provenance,
    runs,
    talk,
    uploads,
    users,
)
from studio.api.failures import PREFIX
from studio.api.gate import Gate, Guard
from studio.host import Host


def create_app(host: Host) -> FastAPI:
    """The API of `host`; `app.state.gate` decides who comes in, to mounted pages too."""
    gate = Gate(host.settings, host.private_token, host.users, host.secret)
    app = FastAPI(
        title="Colophon",
        summary="A self-hosted multimodal creative studio that signs its work.",
        version=__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        # Their pages load scripts from a public network.
        docs_url=None,
        redoc_url=None,
    )
    app.state.host = host
    app.state.gate = gate
    app.add_middleware(Guard, gate=gate)
    failures.install(app)
    rooms = (jobs, artifacts, gallery, catalog, presets, users, runs, talk, consents, uploads)
    routers = (gate.router, orders.router(), *(room.router for room in rooms), provenance.router)
    for router in routers:
        # `include_router` would make every route a second time, when the first request comes.
        app.router.routes.extend(router.routes)
    return app
