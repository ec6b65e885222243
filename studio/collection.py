"""Collections: lists of artifacts under names. What is in one, the artifacts' keepings say."""

from __future__ import annotations

import json
import secrets
import unicodedata
from pathlib import Path

from studio.errors import InvalidRequest, NotFound
from studio.files import replacing
from studio.gallery import Collection
from studio.index import Index
from studio.tasks.request import plain_text

#: The longest name of a collection or tag, in characters.
_MAX_NAME = 80


class Collections:
    """The collections of all owners: a small file each below `folder`, and the index of them."""

    def __init__(self, folder: Path, index: Index) -> None:
        self._folder = folder
        self._index = index

    def of(self, owner: str) -> tuple[Collection, ...]:
        """An owner's collections, by name."""
        sizes = self._index.sizes(owner)
        return tuple(
            Collection(identity, name, sizes.get(("collection", identity), 0))
            for identity, name in self._index.collections(owner)
        )

    def get(self, owner: str, identity: str) -> Collection:
        """One of an owner's collections; `NotFound` if there is no such."""
        for found in self.of(owner):
            if found.id == identity:
                return found
        raise NotFound("You have no such collection.", hint="Your gallery lists them.")

    def create(self, owner: str, name: str) -> Collection:
        """A new, empty collection.

        Raises:
            InvalidRequest: if that cannot be a name, or the owner has it already.
        """
        return self._save(owner, name, secrets.token_hex(16))

    def rename(self, owner: str, identity: str, name: str) -> Collection:
        """Give a collection another name; raises what `get` and `create` raise."""
        return self._save(owner, name, self.get(owner, identity).id)

    def delete(self, owner: str, identity: str) -> None:
        """Forget a list; its artifacts stay, and what their keepings say of it means nothing."""
        self.get(owner, identity)
        self._path(identity).unlink(missing_ok=True)
        self._index.remove_collection(identity)

    def read(self) -> list[tuple[str, str, str]]:
        """All collections as their files tell: (id, owner, name)."""
        records = (
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(self._folder.glob("[!.]*.json"))
        )
        return [(record["id"], record["owner"], record["name"]) for record in records]

    def _save(self, owner: str, name: str, identity: str) -> Collection:
        name = short_name(name)
        if any(other.name == name and other.id != identity for other in self.of(owner)):
            raise InvalidRequest(
                f"You have a collection called {name!r} already.", hint="Choose another name."
            )
        self._folder.mkdir(mode=0o700, exist_ok=True)
        record = json.dumps({"id": identity, "owner": owner, "name": name}).encode()
        with replacing(self._path(identity), record) as place:
            place()
        self._index.put_collection(identity, owner, name)
        return self.get(owner, identity)

    def _path(self, identity: str) -> Path:
        return self._folder / f"{identity}.json"


def short_name(text: str) -> str:
    """`text` as the name of a collection or tag, on one line.

    Raises:
        InvalidRequest: if it is empty, longer than 80 characters, or holds what nobody can see.
    """
    try:
        name = " ".join(unicodedata.normalize("NFC", plain_text(text)).split())
    except ValueError as error:
        raise InvalidRequest(f"This cannot be a name: {error}.") from None
    if not 0 < len(name) <= _MAX_NAME:
        raise InvalidRequest(f"A name has 1 to {_MAX_NAME} characters, and this has {len(name)}.")
    return name
