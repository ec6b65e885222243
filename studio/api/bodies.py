"""How much of a request's body is read, before and after it is known who sent it."""

from __future__ import annotations

import re

from starlette.types import Message, Receive, Scope, Send

from studio.api.failures import PREFIX, TooLarge, answer

#: The longest body, in bytes, wherever nobody else counts.
_LONGEST = 1_000_000
#: What takes files and tables, and counts for itself once it knows who asks.
_LONGER = re.compile(
    rf"{PREFIX}/(uploads|verify|runs)"
    r"|/v1/(content_provenance_checks|provenance/check)"
    r"|/gradio_api/(upload|component_server)/?"
)


def counted(receive: Receive, most: int, error: TooLarge) -> Receive:
    """The same; reading more than `most` bytes raises `error`."""
    read = 0

    async def receive_counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            # Whoever still sends does not hear the answer, so the rest is let through, and dropped.
            while message.get("more_body") and read < 2 * most:
                message = await receive()
                read += len(message.get("body", b""))
            raise error
        return message

    return receive_counted


def short(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Both ends of a request; one that is too long is answered here.

    FastAPI reads a body whole before it asks who sent it, and says 400 to whatever goes wrong then.
    """
    if scope["type"] != "http" or _LONGER.fullmatch(scope["path"]):
        return receive, send
    error = TooLarge(f"The request is longer than {_LONGEST} bytes.", hint="Send less at once.")
    counting = counted(receive, _LONGEST, error)
    begun = refused = False

    async def receive_short() -> Message:
        nonlocal refused
        try:
            # Whoever has begun to answer only waits for the other to hang up.
            return await (receive if begun else counting)()
        except TooLarge:
            refused = True
            raise

    async def send_short(message: Message) -> None:
        nonlocal begun
        first, begun = not begun, True
        if not refused:
            await send(message)
        elif first:
            await answer(error)(scope, receive, send)

    return receive_short, send_short
