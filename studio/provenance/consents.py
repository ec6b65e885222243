"""Whose voice may be used: signed records in the ledger's chain, and what asks for them."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from studio.consent import LONGEST_DAYS, READ_WITHIN, Challenge, Consent, fresh_sentence
from studio.errors import InvalidRequest, NotFound, Refused
from studio.provenance.attestation import signed_by_leaf
from studio.provenance.keys import Keys
from studio.provenance.ledger import Ledger

_DAY = 86_400.0
_GRANTED, _REVOKED = "consent", "consent revoked"
_ASK = "Ask for one on the page Settings, or with `studio voices consent ask SAMPLE`."


class Consents:
    """The consents of one installation; called from any thread.

    Challenges live in memory: after a restart another sentence is asked for.
    """

    def __init__(self, keys: Keys, ledger: Ledger) -> None:
        self._keys = keys
        self._ledger = ledger
        self._challenges: dict[tuple[str, str], Challenge] = {}

    def ask(self, owner: str, voice: str, sha256: str) -> Challenge:
        """A fresh sentence for the sample with this media id and SHA-256."""
        now = time.time()
        waiting = {key: one for key, one in self._challenges.items() if now < one.expires}
        asked = Challenge(secrets.token_hex(8), voice, sha256, fresh_sentence(), now + READ_WITHIN)
        self._challenges = {**waiting, (owner, asked.id): asked}
        return asked

    def challenge(self, owner: str, identity: str) -> Challenge:
        """What was asked.

        Raises:
            NotFound: if nothing was, or its time is over.
        """
        asked = self._challenges.get((owner, identity))
        if asked is None or time.time() >= asked.expires:
            raise NotFound("There is no such sentence to read, or its time is over.", hint=_ASK)
        return asked

    def grant(
        self,
        owner: str,
        asked: Challenge,
        days: float,
        *,
        recording: str,
        heard: str,
        listener: str,
        speaker: str,
    ) -> Consent:
        """Sign that what was asked was read, put it into the chain, and ask it no more.

        Raises:
            InvalidRequest: if it is to hold for too long.
            Unavailable: if whoever has the keys does not sign.
        """
        if not 0 < days <= LONGEST_DAYS:
            raise InvalidRequest(
                f"days: a consent holds for up to {LONGEST_DAYS:g} days.",
                hint="It can be given again.",
            )
        key, now = self._keys.signing(), time.time()
        said = Consent(
            id=secrets.token_hex(16),
            owner=self._ledger.pseudonym(owner),
            voice=asked.sha256,
            sentence=asked.sentence,
            recording=recording,
            created=now,
            expires=now + days * _DAY,
            certificate=key.leaf,
            heard=heard,
            listener=listener,
            speaker=speaker,
        )
        given = replace(said, signature=key.sign(_canonical(said.statement())).hex())
        record = asdict(given)
        del record["revoked"]
        self._ledger.record({_GRANTED: record})
        self._challenges.pop((owner, asked.id), None)
        return given

    def revoke(self, owner: str, identity: str) -> Consent:
        """Take it back; one that was taken back stays so.

        Raises:
            NotFound: if the owner has no such consent.
        """
        found = self._find(owner, identity)
        if found is None:
            raise NotFound("You have no such consent.", hint="`studio voices consent list`.")
        if found.revoked is None:
            found = replace(found, revoked=time.time())
            self._ledger.record({_REVOKED: {"id": found.id, "revoked": found.revoked}})
        return found

    def of(self, owner: str) -> list[Consent]:
        """All of the owner's whose signature holds, oldest first."""
        records = self._ledger.records()
        revoked = {
            record[_REVOKED]["id"]: record[_REVOKED]["revoked"]
            for record in records
            if _REVOKED in record
        }
        known = {field.name for field in fields(Consent)} - {"revoked"}
        said = [
            Consent(**record[_GRANTED], revoked=revoked.get(record[_GRANTED]["id"]))
            for record in records
            if set(record.get(_GRANTED, ())) == known
        ]
        pseudonym = self._ledger.pseudonym(owner)
        root = self._keys.root_pem() if said else ""
        return [
            one
            for one in said
            if one.owner == pseudonym
            and signed_by_leaf(_canonical(one.statement()), one.certificate, one.signature, root)
        ]

    def require(self, owner: str, identity: str, voice: str) -> None:
        """Pass what may be done with the voice of the sample with the SHA-256 `voice`.

        Raises:
            Refused: saying why not.
        """
        found = self._find(owner, identity)
        if found is None:
            why = "nobody has agreed to that"
        elif found.voice != voice:
            why = "the consent is for another sample"
        elif found.revoked is not None:
            why = "the consent was taken back"
        elif not found.holds_at(time.time()):
            why = "the consent has expired"
        else:
            return
        raise Refused(f"This voice may not be used: {why}.", hint=_ASK)

    def _find(self, owner: str, identity: str) -> Consent | None:
        return next((one for one in self.of(owner) if one.id == identity), None)


def _canonical(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
