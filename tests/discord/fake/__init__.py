"""A Discord of our own on loopback: REST v10 and a gateway over real sockets, for discord.py.

What it checks is what Discord checks: lengths, tokens' lives, three seconds for the first answer,
one answer each, file sizes, nonces. What it knows of Discord was read in its documentation and in
discord.py; it is no proof that Discord itself agrees.
"""

from tests.discord.fake.faults import Fault
from tests.discord.fake.people import ADA, BOB, CHANNEL, GUILD, Interaction, Person
from tests.discord.fake.server import FakeDiscord

__all__ = ["ADA", "BOB", "CHANNEL", "GUILD", "FakeDiscord", "Fault", "Interaction", "Person"]
