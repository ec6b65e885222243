"""The one way to leave a hidden mark out: somebody attests by name and reason, signed and recorded.

Where it applies, the signed manifest stays, inside the file; a format that cannot hold one gets the
mark all the same. So no output ever leaves without either. An attestation that does not hold, or
was revoked, counts for nothing, and the mark is back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from studio.provenance.keys import Keys
from studio.provenance.ledger import Ledger


@dataclass(frozen=True)
class Attestation:
    """What somebody decided about the hidden marks of one task's outputs."""

    task: str
    #: Whether outputs carry the hidden mark from now on.
    marked: bool
    #: Who says so, and why, in their own words.
    by: str
    reason: str
    #: Seconds since the epoch.
    created: float
    #: The leaf that signed, PEM, and its ECDSA signature over the rest, hex.
    certificate: str
    signature: str = ""

    def statement(self) -> bytes:
        """What is signed: everything but the signature, as one JSON text."""
        said = asdict(self)
        del said["signature"]
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()

    def holds(self, root_pem: str) -> bool:
        """Whether a leaf of this root signed exactly this."""
        return signed_by_leaf(self.statement(), self.certificate, self.signature, root_pem)


def signed_by_leaf(statement: bytes, certificate: str, signature: str, root_pem: str) -> bool:
    """Whether the leaf `certificate`, PEM, is of this root and its key made `signature`, hex."""
    leaf = x509.load_pem_x509_certificate(certificate.encode())
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(root_pem.encode()))
        key.verify(bytes.fromhex(signature), statement, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def attest(
    keys: Keys, ledger: Ledger, task: str, *, marked: bool, by: str, reason: str
) -> Attestation:
    """Sign what `by` decided about `task`, and put it into the ledger's chain.

    Raises:
        Unavailable: if there are no keys, or whoever has them does not sign.
    """
    key = keys.signing()
    said = Attestation(task, marked, by, reason, time.time(), key.leaf)
    signed = Attestation(**(asdict(said) | {"signature": key.sign(said.statement()).hex()}))
    ledger.record({"attestation": asdict(signed)})
    return signed


def attestations(keys: Keys, ledger: Ledger) -> list[Attestation]:
    """All that hold, oldest first, the revoked ones too."""
    known = {field.name for field in fields(Attestation)}
    records: list[Mapping[str, Any]] = [
        record["attestation"] for record in ledger.records() if "attestation" in record
    ]
    said = [Attestation(**record) for record in records if set(record) == known]
    root = keys.root_pem() if said else ""
    return [one for one in said if one.holds(root)]


def unmarked(keys: Keys, ledger: Ledger) -> dict[str, Attestation]:
    """By task, the attestations that apply now: these outputs carry no hidden mark."""
    newest = {one.task: one for one in attestations(keys, ledger)}
    return {task: one for task, one in newest.items() if not one.marked}
