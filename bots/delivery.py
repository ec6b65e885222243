"""One errand, from wherever it is to its end, whatever gets in the way.

A bot that is killed anywhere goes on where the store says: whatever an errand orders, it orders
under a key of its own, and its end is posted once (`bots.courier`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import discord

from bots.chains import conduct
from bots.courier import PASSING, Courier
from bots.errand import Errand, Kind, State
from bots.making import make
from bots.talking import answer
from bots.wording import explained
from studio.client import Client
from studio.errors import Broken, StudioError, Unavailable

if TYPE_CHECKING:
    from bots.bot import StudioBot

#: Seconds to wait after the first failure, and at most.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0

#: How each kind of errand is carried out.
_CARRY_OUT: Mapping[Kind, Callable[[Courier, Client], Awaitable[None]]] = {
    Kind.JOB: make,
    Kind.RUN: conduct,
    Kind.TALK: answer,
}

_LOG = logging.getLogger(__name__)


async def deliver(bot: StudioBot, errand: Errand) -> None:
    """Do what is left to do of an errand; whatever passes is waited for. Ends with the errand."""
    courier = Courier(bot, errand)
    wait = _FIRST_WAIT
    while True:
        try:
            async with bot.clients(errand.studio_owner) as client:
                await _CARRY_OUT[errand.kind](courier, client)
            return
        except StudioError as error:
            if not (isinstance(error, Unavailable) and error.retry):
                await _give_up(courier, error)
                return
            await courier.tell(explained(error))
        except PASSING as error:
            _LOG.warning("errand %s waits after: %s", errand.id, error)
        except Exception:
            broken = Broken()
            _LOG.exception("incident %s: errand %s", broken.incident, errand.id)
            await _give_up(courier, broken)
            return
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


async def _give_up(courier: Courier, error: StudioError) -> None:
    """Say that nothing comes of the errand; log it, if nobody can be told."""
    try:
        await courier.end(explained(error))
    except (discord.HTTPException, *PASSING) as failure:
        _LOG.warning("errand %s: %s; nobody could be told: %s", courier.errand.id, error, failure)
        courier.update(state=State.DROPPED)
