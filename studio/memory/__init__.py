"""What is in memory: pure decisions over numbers, and who carries them out in the child.

`sizes` says what running a model takes, `plan` where it goes and who makes way, `fit` answers the
same question for a device that need not be here, and `residency` acts on it.
"""

from studio.memory.fit import COMMON, Fit, fit, nearest, room_of
from studio.memory.headers import Component, components_of
from studio.memory.plan import LADDER, SLACK, Plan, plan
from studio.memory.residency import Eviction, Residency
from studio.memory.sizes import (
    ENOUGH,
    Device,
    Held,
    Need,
    Part,
    Resident,
    Room,
    Stage,
    need_of,
)

__all__ = [
    "COMMON",
    "ENOUGH",
    "Component",
    "Device",
    "Eviction",
    "Fit",
    "Held",
    "LADDER",
    "Need",
    "Part",
    "Plan",
    "Residency",
    "Resident",
    "Room",
    "SLACK",
    "Stage",
    "components_of",
    "fit",
    "need_of",
    "nearest",
    "plan",
    "room_of",
]
