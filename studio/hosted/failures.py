"""What went wrong at a provider, in the studio's own words; and whether another try may help."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from studio.errors import InvalidRequest, Refused, StudioError, Unavailable
from studio.hosted.calls import Trouble

#: Statuses that say "not now"; those from 500 on say so too.
_NOT_NOW = (408, 409, 425, 429)
#: Codes of a 429 that no waiting cures.
_SPENT = ("insufficient_quota", "billing_hard_limit_reached")
#: Characters of a provider's own words that are passed on.
_QUOTED = 300


def passes(trouble: Trouble) -> bool:
    """Whether the same call may succeed a little later."""
    if trouble.kind == "status":
        status = trouble.status or 0
        return trouble.code not in _SPENT and (status in _NOT_NOW or status >= 500)
    return trouble.kind == "connection"


def wait_asked(trouble: Trouble) -> float:
    """Seconds that the provider wants to be left alone; 0 if it does not say, or makes no sense."""
    asked = trouble.retry_after or ""
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return 0.0


def told(trouble: Trouble, provider: str, model: str, key: str) -> StudioError:
    """The error that people see. The key is in none, not even where the provider quotes it."""
    words = trouble.message.replace(key, "…") if key else trouble.message
    words = " ".join("".join(c if c.isprintable() else " " for c in words).split())[:_QUOTED]
    match trouble.kind, trouble.status:
        case "refusal", _:
            return Refused(
                f"{provider} refuses this by its own rules.",
                hint="Say it differently, or choose a model that runs here.",
            )
        case "connection", _:
            return Unavailable(
                f"The connection to {provider} does not hold.",
                hint="Order it again later; whoever runs this studio can check the network and the "
                f"base_url of [hosted.{provider}].",
            )
        case "answer", _:
            return Unavailable(
                f"{provider} answered with something that is no answer.",
                hint=f"Whoever runs this studio can check the base_url of [hosted.{provider}].",
            )
        case _, 401 | 403:
            return Unavailable(
                f"{provider} does not accept this studio's key for {model}.",
                hint="Whoever runs this studio can put a valid key into the key_file of "
                f"[hosted.{provider}] and start the studio again.",
            )
        case _, 404:
            return Unavailable(
                f"{provider} has no model {model}, or not for this key.",
                hint="Choose another model, or have the model's card mended.",
            )
        case _, 429 if trouble.code in _SPENT:
            return Unavailable(
                f"The account at {provider} is used up.",
                hint="Whoever runs this studio can add to it; or choose a model that runs here.",
            )
        case _, 429:
            return Unavailable(
                f"{provider} takes no more calls at the moment.",
                hint="Order it again in a few minutes.",
            )
        case _, int(status) if 400 <= status < 500 and status not in _NOT_NOW:
            return InvalidRequest(
                f"{provider} does not take this order: {words or f'status {status}'}.",
                hint="Change what it names, or choose another model.",
            )
        case _:
            return Unavailable(
                f"{provider} has trouble of its own (status {trouble.status}).",
                hint="Order it again later.",
            )
