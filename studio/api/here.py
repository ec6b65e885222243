"""What every endpoint starts from: the client of whoever asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from studio.host import Host
from studio.local import LocalClient


def client_of(request: Request) -> LocalClient:
    """The studio as the request's owner sees it.

    Raises:
        Unauthenticated: if the request presents no token, or a wrong one.
    """
    host: Host = request.app.state.host
    return host.client(request.app.state.gate.owner(request))


#: An endpoint's parameter that is the client of whoever asks.
Here = Annotated[LocalClient, Depends(client_of)]
