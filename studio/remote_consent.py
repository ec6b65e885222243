"""The verbs of consent over HTTP."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any
from urllib.parse import quote

from studio.consent import Challenge, Consent, Voices


class RemoteConsent(Voices):
    """One owner's view of a host's consents."""

    async def ask_consent(self, voice: str) -> Challenge:
        return Challenge(**await self._json("POST", "consents/challenges", json={"voice": voice}))

    async def give_consent(self, challenge: str, recording: str, *, days: float = 30) -> Consent:
        wish = {"challenge": challenge, "recording": recording, "days": days}
        return Consent(**await self._json("POST", "consents", json=wish))

    async def consents(self) -> list[Consent]:
        return [Consent(**one) for one in await self._json("GET", "consents")]

    async def revoke_consent(self, consent: str) -> Consent:
        return Consent(**await self._json("DELETE", f"consents/{quote(consent, safe='')}"))

    @abstractmethod
    async def _json(self, method: str, path: str, **options: Any) -> Any: ...
