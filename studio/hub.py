"""`studio models get`: the only code that downloads.

A model's files come from its hub into a partial folder, are checked against the hub's checksums,
locked to the commit they came from, and appear under `home/models/NAME` by one rename. Only
safetensors weights are ever fetched: other formats can run code when they are opened.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock, Timeout
from huggingface_hub import HfApi, constants, get_token, hf_hub_url
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]
from tqdm import tqdm

from studio.cards import ByHand, Card, Hub
from studio.errors import Cancelled, InvalidRequest, NotFound, Refused, Unavailable

#: What is fetched, whatever a card's patterns say.
_SUFFIXES = {".safetensors", ".json", ".txt", ".model", ".md", ".jinja"}
_GIGABYTE = 1e9

# The library would tell the hub which programs run here.
constants.HF_HUB_DISABLE_TELEMETRY = True


@dataclass(frozen=True)
class Lock:
    """Which revision of a model's weights is installed; `lock.json` beside them."""

    repo: str
    revision: str
    #: SHA-256 of every weight file, by name.
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Offer:
    """What a download would bring; shown before anything is fetched."""

    card: Card
    #: The commit that the card's revision stands for now.
    revision: str
    #: Bytes of every file.
    files: Mapping[str, int]
    #: SHA-256 of every file for which the hub knows it: the weights.
    sha256: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(self.files.values())


def get(
    card: Card,
    models: Path,
    *,
    confirm: Callable[[Offer], bool],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Lock:
    """Bring the card's weights to `models/NAME` and lock them; a model that is there is kept.

    A folder that somebody has filled by hand is checked and locked as it is, without the hub.
    `confirm` sees licence and size first; `progress` hears bytes done and in all. An interrupted
    download goes on where it was.

    Raises:
        InvalidRequest: if the model ships with the studio.
        Cancelled: if `confirm` says no.
        Refused: if the hub wants its licence accepted first, or there is nothing safe to fetch.
        NotFound: if the hub has no such repository or revision.
        Unavailable: offline, out of disk, or damaged; the hint names the files and their place.
    """
    source = _source(card)
    place = models / card.name
    if place.is_dir():
        return _adopt(card, source, place)
    with _explained(card, source, place):
        offer = look(card)
        if not confirm(offer):
            raise Cancelled("Nothing was fetched.")
        partial = models / f".{card.name}.{offer.revision}.partial"
        for stale in set(_partials(card, models)) - {partial}:
            shutil.rmtree(stale)
        partial.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(card, models):
            if place.is_dir():
                return _adopt(card, source, place)
            _check_disk(offer, partial)
            _download(source, offer, partial, progress)
            # The hub knows the checksum of every file that is not small.
            digests = {
                name: _check(partial / name, offer.sha256.get(name))
                for name in offer.files
                if name in offer.sha256 or name.endswith(".safetensors")
            }
            lock = Lock(source.repo, offer.revision, digests)
            _write(lock, partial)
            partial.rename(place)
    return lock


def look(card: Card) -> Offer:
    """What the hub offers for `card` at this moment; nothing is fetched."""
    source = _source(card)
    info = HfApi(token=get_token() or False).model_info(
        source.repo, revision=source.revision, files_metadata=True
    )
    wanted = {
        file.rfilename: file
        for file in info.siblings or ()
        if PurePosixPath(file.rfilename).suffix in _SUFFIXES
        and any(fnmatchcase(file.rfilename, pattern) for pattern in source.files)
    }
    for name in wanted:
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise Refused(f"{source.repo} has a file named {name!r}, which leads elsewhere.")
    if not any(name.endswith(".safetensors") for name in wanted):
        raise Refused(
            f"{source.repo} offers no safetensors weights that the card asks for.",
            hint="Other formats can run code when they are opened, so they are not fetched. Look "
            "for a repository that has safetensors, and name it in a card.",
        )
    missing = [
        pattern
        for pattern in source.files
        if pattern.endswith(".safetensors")
        and not any(fnmatchcase(name, pattern) for name in wanted)
    ]
    if missing:
        raise NotFound(
            f"{source.repo} has no {', '.join(missing)} at {source.revision}.",
            hint=f"Mend `files` in the card {card.name}.",
        )
    return Offer(
        card,
        str(info.sha),
        {name: int(file.size or 0) for name, file in wanted.items()},
        {name: str(file.lfs.sha256) for name, file in wanted.items() if file.lfs is not None},
    )


def remove(card: Card, models: Path) -> None:
    """Delete the model's weights, and what an interrupted download left.

    Raises:
        InvalidRequest: if the model ships with the studio.
        NotFound: if there is nothing to delete.
    """
    _source(card)
    there = [path for path in (models / card.name, *_partials(card, models)) if path.exists()]
    if not there:
        raise NotFound(f"{card.studio.title} is not installed.", hint="Nothing was removed.")
    for path in there:
        shutil.rmtree(path)


def by_hand(source: Hub, place: Path) -> str:
    """What to do where the hub cannot be used: which files go where."""
    return (
        f"Or copy these files of {source.repo} to {place}, folders and all: "
        f"{', '.join(source.files)}. Then run `studio models get {place.name}` again: it checks "
        "and locks them without the network."
    )


def _source(card: Card) -> Hub:
    if isinstance(card.studio.source, ByHand):
        raise InvalidRequest(
            f"{card.studio.title} is brought by hand.", hint=card.studio.source.by_hand
        )
    if not isinstance(card.studio.source, Hub):
        raise InvalidRequest(
            f"{card.studio.title} comes with the studio or one of its extras.",
            hint="There is nothing to get or remove here.",
        )
    return card.studio.source


def _partials(card: Card, models: Path) -> list[Path]:
    """What interrupted downloads of the model left, one folder per commit."""
    return list(models.glob(f".{card.name}.*.partial"))


def _adopt(card: Card, source: Hub, place: Path) -> Lock:
    """The lock of an installed model; made here if somebody has brought the files by hand."""
    if (place / "lock.json").exists():
        return Lock(**json.loads((place / "lock.json").read_text(encoding="utf-8")))
    there = {
        str(path.relative_to(place)): path for path in sorted(place.rglob("*")) if path.is_file()
    }
    missing = [
        pattern for pattern in source.files if not any(fnmatchcase(name, pattern) for name in there)
    ]
    weights = {name: path for name, path in there.items() if name.endswith(".safetensors")}
    if missing or not weights:
        raise Unavailable(
            f"{place} is not complete: {', '.join(missing) or '*.safetensors'} is missing.",
            hint=by_hand(source, place),
        )
    lock = Lock(source.repo, "by-hand", {name: _digest(path) for name, path in weights.items()})
    _write(lock, place)
    return lock


def _download(
    source: Hub, offer: Offer, partial: Path, progress: Callable[[int, int], None]
) -> None:
    done = 0

    def advance(amount: int) -> None:
        nonlocal done
        done += amount
        progress(done, offer.size)

    class Bar(tqdm):  # type: ignore[type-arg]
        """The library's only way to say how far it is."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options | {"disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            advance(int(n or 0))
            return None

    headers = build_hf_headers(token=get_token() or False)
    for name, size in offer.files.items():
        path = partial / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(path.name + ".part")
            # The library's own download to a file begins at nought after every interruption.
            with unfinished.open("ab") as file:
                there = file.tell()
                if there > size:
                    there = file.truncate(0)
                advance(there)
                if there < size:
                    url = hf_hub_url(source.repo, name, revision=offer.revision)
                    http_get(
                        url,
                        file,
                        resume_size=there,
                        headers=headers,
                        expected_size=size,
                        tqdm_class=Bar,
                    )
            unfinished.rename(path)
        else:
            advance(size)


@contextmanager
def _alone(card: Card, models: Path) -> Iterator[None]:
    """Hold what is arriving against other processes; `Unavailable` if one is at it already."""
    lock = FileLock(models / f".{card.name}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Unavailable(
            f"{card.studio.title} is being fetched already.",
            hint="Wait until it has arrived, or stop the other.",
            retry=True,
        ) from None
    try:
        yield
    finally:
        lock.release()


def _check_disk(offer: Offer, partial: Path) -> None:
    free = shutil.disk_usage(partial).free
    here = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    if offer.size - here > free:
        raise Unavailable(
            f"{offer.card.studio.title} takes {offer.size / _GIGABYTE:.1f} GB, and the disk has "
            f"{free / _GIGABYTE:.1f} GB free.",
            hint=f"Make room below {partial.parent}, then run the command again.",
        )


def _check(path: Path, expected: str | None) -> str:
    """The file's SHA-256; a file that is not what the hub says is deleted."""
    found = _digest(path)
    if expected is not None and found != expected:
        path.unlink()
        raise Unavailable(
            f"{path.name} arrived damaged: its checksum is not the hub's.",
            hint="Run the command again; it fetches this file anew and keeps the others.",
            retry=True,
        )
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(lock: Lock, folder: Path) -> None:
    new = folder / "lock.json.new"
    new.write_text(json.dumps(asdict(lock), indent=1), encoding="utf-8")
    new.rename(folder / "lock.json")


@contextmanager
def _explained(card: Card, source: Hub, place: Path) -> Iterator[None]:
    """Say what a hub's refusal means, and what else can be done."""
    page = f"{constants.ENDPOINT}/{source.repo}"
    hand = by_hand(source, place)
    title = card.studio.title
    try:
        yield
    except GatedRepoError:
        raise Refused(
            f"{title} is only for those who have accepted its licence.",
            hint=f"Accept it at {page}, set HF_TOKEN to a token of that account, and run the "
            f"command again. {hand}",
        ) from None
    except RevisionNotFoundError:
        raise NotFound(
            f"{source.repo} has no revision {source.revision!r}.",
            hint=f"Mend the revision in the card {card.name}; {page} lists them.",
        ) from None
    except RepositoryNotFoundError:
        raise NotFound(
            f"The hub has no repository {source.repo}, or not for everybody.",
            hint=f"Look at {page}; if it is private, set HF_TOKEN. {hand}",
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise Refused(
                f"The hub does not let this token fetch {title}.",
                hint=f"Check HF_TOKEN, and accept the licence at {page}. {hand}",
            ) from None
        raise Unavailable(
            f"The hub answered with an error (HTTP {status}).",
            hint=f"Run the command again later; it goes on where it was. {hand}",
            retry=True,
        ) from None
    except OfflineModeIsEnabled:
        raise Unavailable(
            "HF_HUB_OFFLINE is set, so nothing is fetched.", hint=f"Unset it. {hand}"
        ) from None
    except (HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's doing, not the network's
        raise Unavailable(
            f"The hub at {page.removesuffix('/' + source.repo)} cannot be reached, or the "
            "connection broke.",
            hint=f"Run the command again; it goes on where it was. {hand}",
            retry=True,
        ) from None
