"""The installation's keys: a root, a signing leaf, mark keys and the ledger's secret.

Everything lies in `home/keys` (0700, files 0600):

    root.pem root.key      the installation's own authority; export it, then move root.key away
    leaf.pem               signs manifests: the whole chain, and the leaf's private key, unless
                           that is kept elsewhere and the setting `signer` says who signs with it
    marks.json             keys of the hidden marks, newest first; old ones keep reading
    secret                 32 bytes: what the ledger's chain is keyed with
    trusted/*.pem          roots of other installations that this one trusts

Rotating makes a new leaf and a new mark key. Without a time-stamping authority an expired leaf
would make old files invalid, so leaves last ten years and roots thirty.
"""

from __future__ import annotations

import datetime
import json
import os
import secrets
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from filelock import FileLock

from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.files import sync_folder
from studio.provenance.marks import MarkKey

_CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
_ROOT_YEARS, _LEAF_YEARS = 30, 10
#: Seconds that a program may take to sign.
_SIGNER_SECONDS = 15
#: What is made before the leaf.
_PARTS = ("secret", "root.key", "root.pem", "marks.json")


@dataclass(frozen=True)
class SigningKey:
    """What a manifest is signed with."""

    #: Short public name of the leaf: the first 16 hex digits of its SHA-256.
    id: str
    #: Leaf and root, PEM.
    chain: bytes
    #: The leaf's private key, PEM; empty if it is kept elsewhere.
    private: bytes
    #: The program that signs with it there, and its arguments.
    signer: tuple[str, ...] = ()

    @property
    def leaf(self) -> str:
        """The leaf alone, PEM."""
        return "".join(self.chain.decode().partition("-----END CERTIFICATE-----")[:2])

    def sign(self, data: bytes) -> bytes:
        """The ECDSA signature of SHA-256 of `data`, in DER.

        Raises:
            Unavailable: if the program that signs is missing, fails or answers nothing in time.
        """
        if not self.signer:
            key = serialization.load_pem_private_key(self.private, password=None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101  # made by `_issue_leaf`
            return key.sign(data, ec.ECDSA(hashes.SHA256()))
        name = self.signer[0]
        try:
            done = subprocess.run(  # noqa: S603  # the operator's own choice
                self.signer, input=data, capture_output=True, timeout=_SIGNER_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            why = getattr(error, "stderr", b"") or str(error).encode()
            said = why.decode(errors="replace").strip().rpartition("\n")[2]
            raise Unavailable(
                f"The signer {name} did not sign: {said:.200}.",
                hint="Try the command in the setting `signer` by hand; jobs go on by themselves.",
                retry=True,
            ) from None
        return done.stdout


@dataclass(frozen=True)
class Keys:
    """The keys in one folder. Values are read anew at each call: a rotation shows at once."""

    folder: Path
    #: The command that signs if the leaf's private key is not here; the setting `signer`.
    signer: str = ""

    @property
    def exist(self) -> bool:
        """Whether this installation has its keys."""
        # Written last by `create`.
        return self._leaf.is_file()

    def create(self, label: str) -> None:
        """Make all keys, unless they exist; safe when several processes start at once.

        Raises:
            Unavailable: if some are here and others are not: new ones would orphan what was made.
        """
        if self.exist:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock():
            self._create(label)

    def rotate(self, label: str, public: Path | None = None) -> None:
        """A new leaf and a new mark key; everything made with the old ones still verifies.

        With `public`, a PEM file, the leaf is for that key, whose private half is kept elsewhere.

        Raises:
            Unavailable: if the root's private key was moved away.
            NotFound, InvalidRequest: if `public` holds no public key that the studio can use.
        """
        key = None if public is None else _public_key(public)
        if not self._leaf.parent.is_dir():
            self.require()
        with self._lock():
            if not (self.folder / "root.key").is_file():
                raise Unavailable(
                    "The root's private key is not here, so no new leaf can be issued.",
                    hint=f"Put root.key back into {self.folder} for the rotation.",
                )
            self._add_mark_key()
            self._issue_leaf(label, key)

    def require(self) -> None:
        """Raises `Unavailable` if there are no keys yet."""
        if not self.exist:
            raise Unavailable(
                "This installation has no keys yet.", hint="Run `studio keys init` to make them."
            )

    def signing(self) -> SigningKey:
        """The current leaf; `Unavailable` if there are no keys, or nobody to sign with them."""
        self.require()
        # One file, so that nobody ever sees a new key beside an old chain.
        chain, begin, private = self._leaf.read_bytes().partition(b"-----BEGIN PRIVATE KEY")
        name = _name(x509.load_pem_x509_certificate(chain))
        if private:
            return SigningKey(name, chain, begin + private)
        if not self.signer.strip():
            raise Unavailable(
                "The signing key is kept elsewhere, and nothing says who signs with it.",
                hint="Name the program in the setting `signer`, or run `studio keys rotate`.",
            )
        return SigningKey(name, chain, b"", tuple(shlex.split(self.signer)))

    def root_pem(self) -> str:
        """The installation's own root certificate; `Unavailable` if there are no keys."""
        self.require()
        return (self.folder / "root.pem").read_text(encoding="ascii")

    def root_fingerprint(self) -> str:
        """SHA-256 of the root certificate in hex: what to publish."""
        root = x509.load_pem_x509_certificate(self.root_pem().encode())
        return root.fingerprint(hashes.SHA256()).hex()

    def root_key_is_here(self) -> bool:
        """Whether the root's private key still lies on this machine."""
        return (self.folder / "root.key").is_file()

    def anchors(self) -> str:
        """All trusted roots as one PEM text, the own one first; empty if there are none."""
        own = [self.folder / "root.pem"] if self.exist else []
        trusted = sorted((self.folder / "trusted").glob("*.pem"))
        return "".join(path.read_text(encoding="ascii") for path in [*own, *trusted])

    def trusted(self) -> dict[str, str]:
        """Names of foreign roots that are trusted, by their SHA-256."""
        found = {}
        for path in sorted((self.folder / "trusted").glob("*.pem")):
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            found[path.stem] = certificate.subject.rfc4514_string()
        return found

    def trust(self, path: Path) -> str:
        """Trust the root certificate in `path` from now on; returns its SHA-256.

        Raises:
            NotFound: if there is no such file.
            InvalidRequest: if it holds no certificate, or one that cannot be a root.
        """
        hint = "Ask its owner for the file that `studio keys export-root` wrote."
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
            usable = authority.value.ca
        except OSError as error:
            raise NotFound(f"{path} cannot be read: {error.strerror}.") from None
        except ValueError:
            raise InvalidRequest(f"{path} holds no PEM certificate.", hint=hint) from None
        except x509.ExtensionNotFound:
            usable = False
        if not usable:
            raise InvalidRequest(f"{path} holds a certificate that is no root.", hint=hint)
        fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        place = self.folder / "trusted"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(place / f"{fingerprint}.pem", _pem(certificate))
        return fingerprint

    def marks(self) -> list[MarkKey]:
        """All mark keys, newest first; `Unavailable` if there are none."""
        self.require()
        listed = json.loads((self.folder / "marks.json").read_text(encoding="ascii"))
        return [MarkKey(key["id"], bytes.fromhex(key["secret"])) for key in listed]

    def ledger_secret(self) -> bytes:
        """The key of the ledger's hash chain, 32 bytes."""
        return (self.folder / "secret").read_bytes()

    @property
    def _leaf(self) -> Path:
        return self.folder / "leaf.pem"

    def _lock(self) -> FileLock:
        return FileLock(self.folder / ".lock", mode=0o600)

    def _create(self, label: str) -> None:
        if self.exist:  # another process was quicker
            return
        making = self.folder / ".making"
        if not making.exists():
            here = [name for name in _PARTS if (self.folder / name).exists()]
            if here:
                raise Unavailable(
                    f"{self.folder} holds {', '.join(here)}, but no leaf.pem.",
                    hint="Put leaf.pem back from a copy. If there is none, and root.key is here, "
                    "`studio keys rotate` issues a new one.",
                )
            _write(making, b"")
        _write(self.folder / "secret", secrets.token_bytes(32))
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = _certificate(_common_name(f"{label:.40} root"), root_key.public_key(), root_key)
        _write(self.folder / "root.key", _private_pem(root_key))
        _write(self.folder / "root.pem", _pem(root))
        self._add_mark_key()
        self._issue_leaf(label)
        making.unlink()

    def _add_mark_key(self) -> None:
        path = self.folder / "marks.json"
        listed = json.loads(path.read_text(encoding="ascii")) if path.is_file() else []
        key = {"id": secrets.token_hex(4), "secret": secrets.token_hex(32)}
        _write(path, json.dumps([key, *listed], indent=1).encode())

    def _issue_leaf(self, label: str, public: ec.EllipticCurvePublicKey | None = None) -> None:
        root = x509.load_pem_x509_certificate((self.folder / "root.pem").read_bytes())
        root_key = serialization.load_pem_private_key(
            (self.folder / "root.key").read_bytes(), password=None
        )
        if not isinstance(root_key, ec.EllipticCurvePrivateKey):
            raise InvalidRequest(
                f"{self.folder / 'root.key'} holds no elliptic-curve key.",
                hint="Put back the file that `studio keys init` made.",
            )
        private = b""
        if public is None:
            made = ec.generate_private_key(ec.SECP256R1())
            public, private = made.public_key(), _private_pem(made)
        leaf = _certificate(_common_name(f"{label:.40}"), public, root_key, root.subject)
        _write(self._leaf, _pem(leaf) + _pem(root) + private)


def _certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer_name: x509.Name | None = None,
) -> x509.Certificate:
    """A leaf for `key` that `issuer_key` signs, or its root; the profile that C2PA accepts."""
    # Readers show the organisation as the signer.
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    is_root = issuer_name is None
    now = datetime.datetime.now(datetime.UTC)
    years = _ROOT_YEARS if is_root else _LEAF_YEARS
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name or subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A clock that is a little behind on the reader's side must not make a fresh file invalid.
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365.25 * years))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_root,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=is_root,
                crl_sign=is_root,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    if not is_root:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION, _CLAIM_SIGNING]),
            critical=False,
        ).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    return builder.sign(issuer_key, hashes.SHA256())


def _public_key(path: Path) -> ec.EllipticCurvePublicKey:
    hint = "Export the public half of a P-256 key as PEM from where it is kept."
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest(f"{path} holds no PEM public key.", hint=hint) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidRequest(f"{path} holds a key that is not on the curve P-256.", hint=hint)
    return key


def _common_name(label: str) -> str:
    # X.509 allows 64 characters. The random end tells certificates of one label apart.
    return f"{label} {secrets.token_hex(4)}".strip()


def _name(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()[:16]


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes) -> None:
    """Replace `path` as a whole; the file is never readable by others, not even for a moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)
