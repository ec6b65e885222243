"""Provenance: marks, manifests, keys and the ledger of one installation, put together once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.artifacts import ArtifactStore
    from studio.provenance.consents import Consents
    from studio.provenance.keys import Keys
    from studio.provenance.ledger import Ledger
    from studio.provenance.marks.text import TextMark
    from studio.provenance.seal import Sealer
    from studio.provenance.verify import Verifier
    from studio.settings import Settings


@dataclass(frozen=True)
class Provenance:
    """Everything one home needs to seal and to verify."""

    sealer: Sealer
    verifier: Verifier
    store: ArtifactStore
    keys: Keys
    ledger: Ledger
    #: The mark of texts, which models make while they write.
    texts: TextMark
    consents: Consents

    def close(self) -> None:
        """Close the databases."""
        self.store.close()
        self.ledger.close()


def open_provenance(settings: Settings) -> Provenance:
    """The provenance of `settings.home`; its keys are made at the first call.

    Takes no lock that a running host holds: checking works while the studio is up. A mark key
    that `studio keys rotate` adds is used from the next opening on.
    """
    # Here, so that the decode child, which only reads manifests, starts without all this.
    from studio.artifacts import ArtifactStore
    from studio.provenance.consents import Consents
    from studio.provenance.keys import Keys
    from studio.provenance.ledger import Ledger
    from studio.provenance.marks.text import TextMark
    from studio.provenance.media import media
    from studio.provenance.seal import Sealer
    from studio.provenance.verify import Verifier

    keys = Keys(settings.home / "keys", settings.signer)
    keys.create(settings.label)
    ledger = Ledger(settings.home / "ledger.sqlite", keys.ledger_secret())
    store = ArtifactStore(settings.home / "artifacts")
    kinds = media(keys.marks(), settings.home / "marks")
    texts = TextMark(settings.home / "tokenizers", keys.marks())
    return Provenance(
        sealer=Sealer(settings, keys, ledger, store, kinds),
        verifier=Verifier(settings, keys, ledger, kinds, texts),
        store=store,
        keys=keys,
        ledger=ledger,
        texts=texts,
        consents=Consents(keys, ledger),
    )
