"""What is right with this machine and this installation, what is not, and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil

from studio.cards import Embedded
from studio.catalog import Catalog
from studio.errors import StudioError
from studio.formats import EXTENSIONS
from studio.provenance.attestation import unmarked
from studio.provenance.keys import Keys
from studio.provenance.ledger import Ledger
from studio.settings import Settings

#: Below this, a job could fill the disk while it is being sealed.
_FREE_BYTES = 2_000_000_000


_ASK_AUDIOCRAFT = (
    "from importlib.metadata import version;"
    "print(', '.join(f'{name} {version(name)}' for name in ('audiocraft', 'torch')))"
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    #: `ok`; `note`: works, and could be better; `wrong`: something will not work.
    state: Literal["ok", "note", "wrong"]
    message: str
    #: What to do about it.
    mend: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything the studio needs, the most basic first."""
    yield _python()
    yield from _packages()
    yield _processor()
    yield _memory()
    yield _disk(settings.home)
    yield from _storage(settings.home)
    yield _privacy(settings.home)
    yield from _models(settings)
    yield from _hosted(settings)
    yield _audiocraft(settings)
    yield _root(settings)
    yield from _unmarked(settings)
    yield _network(settings)


def _python() -> Finding:
    return Finding("python", "ok", platform.python_version())


def _packages() -> Iterator[Finding]:
    for name in ("torch", "diffusers", "transformers", "gradio", "c2pa-python", "dbos"):
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "wrong", "not installed", "Run ./scripts/start, which installs it.")


def _processor() -> Finding:
    cuda = shutil.which("nvidia-smi")
    what = f"{os.cpu_count()} cores, {platform.machine()}"
    torch = next((one.message for one in _packages() if one.name == "torch"), "")
    if cuda and "+cpu" in torch:
        return Finding(
            "device",
            "note",
            f"{what}; an NVIDIA card is here, and torch {torch} cannot use it",
            "Install a CUDA build of torch into .venv; ./scripts/start keeps it.",
        )
    return Finding("device", "ok", f"{what}{', NVIDIA card' if cuda else ', no NVIDIA card'}")


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    text = f"{memory.total / 1e9:.1f} GB, {memory.available / 1e9:.1f} GB available"
    if memory.available < 2e9:
        return Finding("memory", "note", text, "Close other programs before using large models.")
    return Finding("memory", "ok", text)


def _disk(home: Path) -> Finding:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free at {home}"
    if free < _FREE_BYTES:
        return Finding("disk", "wrong", text, "Free some space, or move STUDIO_HOME elsewhere.")
    return Finding("disk", "ok", text)


def _storage(home: Path) -> Iterator[Finding]:
    """What the studio's own folders hold, those that grow."""
    made = [
        path
        for path in (home / "artifacts").glob("??/*")
        # Beside them lie notes, manifests and previews.
        if path.name.partition(".")[2] in EXTENSIONS.values()
    ]
    models = [path for path in (home / "models").rglob("*") if path.is_file()]
    for name, files in (("outputs", made), ("models on disk", models)):
        many = "1 file" if len(files) == 1 else f"{len(files)} files"
        size = sum(path.stat().st_size for path in files) / 1e6
        yield Finding(name, "ok", f"{many}, {size:.1f} MB")


def _privacy(home: Path) -> Finding:
    if not home.exists():
        return Finding("home", "ok", f"{home} will be made on first use")
    if home.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(
            "home", "wrong", f"others on this machine can read {home}", f"Run: chmod 700 {home}"
        )
    return Finding("home", "ok", f"{home}, readable by you alone")


def _models(settings: Settings) -> Iterator[Finding]:
    try:
        catalog = Catalog.open(settings)
    except StudioError as error:
        yield Finding("models", "wrong", error.message, error.hint)
        return
    for card in catalog:
        if isinstance(card.studio.source, Embedded) and not catalog.installed(card):
            yield Finding(
                card.name, "wrong", "its weights are missing", "Check the clone out again."
            )
    here = [card.name for card in catalog if catalog.installed(card)]
    yield Finding("models", "ok" if here else "wrong", f"installed: {', '.join(here) or 'none'}")


def _hosted(settings: Settings) -> Iterator[Finding]:
    """Where models run that do not run here: all that this studio may ever send words to."""
    try:
        providers = settings.providers
    except StudioError as error:
        yield Finding("hosted models", "wrong", error.message, error.hint)
        return
    if not providers:
        yield Finding("hosted models", "ok", "none; nothing leaves this machine")
    for name, provider in providers.items():
        file = provider.key_file
        if file is not None and not os.access(file, os.R_OK):
            yield Finding(
                name, "wrong", "its key cannot be read", f"Put the key into {file}, mode 0600."
            )
        elif file is not None and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding(
                name, "wrong", f"others can read the key in {file}", f"Run: chmod 600 {file}"
            )
        else:
            where = provider.base_url or "its own address"
            key = "with a key" if file else "without a key"
            yield Finding(name, "note", f"models run elsewhere, at {where}, {key}")


def _audiocraft(settings: Settings) -> Finding:
    """The other Python that AudioGen and MAGNeT run in, if there is one."""
    python = settings.audiocraft_python
    if python is None:
        return Finding("audiocraft", "ok", "not set up; AudioGen and MAGNeT cannot be used")
    try:
        # Its place alone: importing it takes long, and wants the stand-ins of its own process.
        asked = subprocess.run(  # noqa: S603 - the operator named it
            [python, "-I", "-c", _ASK_AUDIOCRAFT],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return Finding(
            "audiocraft",
            "wrong",
            f"{python} has no audiocraft in it, or no torch",
            "Run scripts/install_audiocraft, and set audiocraft_python to what it names.",
        )
    versions = asked.stdout.strip()
    if not versions.startswith("audiocraft 1.3."):
        return Finding(
            "audiocraft", "note", f"{versions}; only 1.3.0 was tried, with tiny models", ""
        )
    return Finding("audiocraft", "ok", f"{versions}, outside its pins")


def _root(settings: Settings) -> Finding:
    keys = Keys(settings.home / "keys")
    if not keys.exist:
        return Finding("signing key", "ok", "made when the first output is signed")
    root = keys.root_fingerprint()[:16]
    if keys.root_key_is_here():
        return Finding(
            "signing key",
            "note",
            f"the private key of root {root} is still on this machine",
            f"Move {keys.folder / 'root.key'} to a safe place; only `studio keys rotate` needs it.",
        )
    return Finding("signing key", "ok", f"the private key of root {root} is kept elsewhere")


def _unmarked(settings: Settings) -> Iterator[Finding]:
    """Tasks whose outputs carry no hidden mark, because somebody attested that they need none."""
    keys, place = Keys(settings.home / "keys"), settings.home / "ledger.sqlite"
    if not keys.exist or not place.is_file():
        return
    ledger = Ledger(place, keys.ledger_secret())
    for task, attested in unmarked(keys, ledger).items():
        yield Finding(
            "hidden mark",
            "note",
            f"left out of {task}, as {attested.by} attested: {attested.reason}",
            f"`studio keys revoke {task} --by NAME` puts it back.",
        )
    ledger.close()


def _network(settings: Settings) -> Finding:
    if settings.is_loopback:
        return Finding("network", "ok", f"{settings.host}:{settings.port}, this machine only")
    return Finding("network", "note", f"open on {settings.host}:{settings.port}, with a token")
