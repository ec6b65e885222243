"""Checking any file as a service, in the shape that OpenAI's SDK has for it.

`OpenAI(base_url=".../v1").content_provenance_checks.create(file=...)` works against this server.
The answer says what that shape has words for; `verdict` has the rest, each layer by itself. The
hidden mark is a result of a type of its own: it is no SynthID.
"""

from __future__ import annotations

import datetime
import time
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, Field

from studio.api.artifacts import CHECK_BODY, uploaded
from studio.api.failures import routes
from studio.api.here import Here
from studio.provenance.verdict import Layer, Verdict

#: Where the SDK looks for it, so not below the API's own prefix.
PREFIX = "/v1"

Detected = Literal["detected", "not_detected"]


class ManifestResult(BaseModel):
    """What the signed manifest says."""

    type: Literal["c2pa"] = "c2pa"
    #: Detected means that it holds, whoever signed it.
    outcome: Detected
    #: `trusted`, `valid`, `invalid` or `not_present`.
    validation_state: str
    issuer: str | None
    model: str | None
    #: A manifest without a time-stamping authority has no time of its own: the ledger's is given.
    generated_at: str | None


class MarkResult(BaseModel):
    """What the hidden mark says."""

    type: Literal["colophon-mark"] = "colophon-mark"
    outcome: Detected
    #: Twelve hex digits.
    id: str | None
    model: str | None
    generated_at: str | None


class Check(BaseModel):
    """The answer to one check."""

    object: Literal["content_provenance_check"] = "content_provenance_check"
    #: Seconds since the epoch.
    created_at: int
    results: list[Annotated[ManifestResult | MarkResult, Field(discriminator="type")]]
    #: Outcome, sentence and layers, as `studio verify --json` prints them.
    verdict: dict[str, Any]


router = routes("provenance", prefix=PREFIX)


@router.post("/content_provenance_checks", openapi_extra=CHECK_BODY)
@router.post("/provenance/check", openapi_extra=CHECK_BODY)
async def check_provenance(client: Here, request: Request) -> Check:
    """What can be found out about a file, wherever it came from. It is not kept.

    Where the file cannot hold its signed statement, send that as `manifest`.
    """
    async with uploaded(request) as (path, name):
        verdict = await client.verify(path, name=name)
    return _check(verdict)


def _check(verdict: Verdict) -> Check:
    layers: dict[str, Layer] = {layer.name: layer for layer in verdict.layers}
    manifest, mark, known = (layers[name] for name in ("manifest", "mark", "ledger"))
    created = known.details.get("created")
    when = created and datetime.datetime.fromtimestamp(created, datetime.UTC).isoformat()
    number = mark.details.get("id")
    holds = manifest.state in ("trusted", "valid")
    return Check(
        created_at=int(time.time()),
        results=[
            ManifestResult(
                outcome="detected" if holds else "not_detected",
                validation_state="not_present" if manifest.state == "absent" else manifest.state,
                issuer=manifest.details["signer"] or None,
                model=manifest.details["generation"].get("model"),
                generated_at=when if holds else None,
            ),
            MarkResult(
                outcome="detected" if number else "not_detected",
                id=number,
                model=known.details.get("card") if number else None,
                generated_at=when if number else None,
            ),
        ],
        verdict=verdict.record(),
    )
