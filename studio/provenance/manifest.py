"""Manifests: the signed C2PA statement inside a file, written and read.

What a manifest says is public: that the content is AI-generated, by which model and studio, and
which mark it carries. The prompt, the owner and the job stay out of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import c2pa

from studio.errors import StudioError
from studio.tasks.request import Relation

if TYPE_CHECKING:
    # The decode child reads manifests and never comes near keys.
    from studio.provenance.keys import SigningKey

_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_GENERATION = "org.colophon.generation"
_TRAINING = ("ai_inference", "ai_training", "ai_generative_training", "data_mining")


@dataclass(frozen=True)
class Statement:
    """What the studio says about one output."""

    #: The studio's name for people, and the software's version.
    studio: str
    version: str
    task: str
    card: str
    revision: str
    licence: str
    #: What the card wants said of its outputs, or nothing.
    notice: str
    allow_training: bool
    #: The marks in the content: method to number, 12 hex digits.
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ingredient:
    """A file that an output was made from."""

    path: Path
    media_type: str
    relation: Relation = "parentOf"
    #: Id of the artifact that it is or comes from, if it was made here.
    artifact: str | None = None
    #: Whether it has a manifest that holds, which then travels inside the output's own. Any other
    #: file is named and not looked into: a broken manifest would break the output's.
    quotable: bool = True


@dataclass(frozen=True)
class Report:
    """What a file's manifest store says, and how far it holds."""

    #: `trusted`, `valid`, `invalid` or `absent`.
    state: str
    #: Organisation and common name in the signer's certificate.
    signer: str = ""
    #: The generator and its version, as the manifest names them.
    generator: str = ""
    #: Why it is not valid or not trusted: C2PA's own status codes, those of ingredients included.
    problems: tuple[str, ...] = ()
    #: How many manifests there are: this file's own and all its ingredients'.
    manifests: int = 0
    #: `{alg: value}` of the marks that the manifest says the content carries.
    soft_bindings: Mapping[str, str] = field(default_factory=dict)
    #: The studio's own assertion, if there is one.
    generation: Mapping[str, Any] = field(default_factory=dict)
    #: The direct ingredients: `title`, `relation`, and `state`: of its own manifest, `valid`,
    #: `invalid` or `absent`; who signed that one, and whether you trust them, is not looked into.
    ingredients: tuple[Mapping[str, str], ...] = ()
    #: Where a manifest is said to be, if it is not in the file; it is never fetched.
    remote: str = ""

    def record(self) -> dict[str, Any]:
        """The report as plain JSON."""
        return asdict(self)

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Report:
        """The report that `record` describes."""
        values = dict(record)
        for name in ("problems", "ingredients"):
            values[name] = tuple(values[name])
        return Report(**values)


#: Codes of a statement that fits its file, whoever signed it and however long ago.
_INTACT = ("signingCredential.untrusted", "signingCredential.expired")


def sign(
    source: Path,
    target: Path,
    media_type: str,
    statement: Statement,
    key: SigningKey,
    ingredients: Sequence[Ingredient] = (),
    *,
    embed: bool = True,
) -> bytes:
    """Write `source` to `target` with a manifest that holds `statement`, signed with `key`.

    Returns the manifest. Without `embed` the target is a copy, and it belongs in a file beside it.

    Raises:
        c2pa.C2paError: if the format takes no manifest or the key is unfit to sign.
        Unavailable: if the program that has the key does not sign.
    """
    worked_on = [
        f"parent{place}" for place, one in enumerate(ingredients) if one.relation == "parentOf"
    ]
    definition = _definition(statement, worked_on)
    with c2pa.Builder(json.dumps(definition), context=_context("")) as builder:
        for place, ingredient in enumerate(ingredients):
            description = {"relationship": ingredient.relation, "label": f"parent{place}"}
            kind = ingredient.media_type if ingredient.quotable else "application/octet-stream"
            with ingredient.path.open("rb") as file:
                builder.add_ingredient(json.dumps(description), kind, file)
        refused: list[StudioError] = []

        def signature(claim: bytes) -> bytes:
            try:
                return key.sign(claim)
            except StudioError as error:
                # The library swallows what a callback raises, and takes nothing for a failure.
                refused.append(error)
                return b""

        if not embed:
            builder.set_no_embed()
        if key.signer:
            es256, chain = c2pa.C2paSigningAlg.ES256, key.chain.decode()
            made = c2pa.Signer.from_callback(signature, es256, chain)
        else:
            # Who knows the key knows how long a signature is; for the other way, the library keeps
            # nine thousand bytes free in every file.
            info = c2pa.C2paSignerInfo(b"es256", key.chain, key.private, None)
            made = c2pa.Signer.from_info(info)
        with (
            made as signer,
            source.open("rb") as plain,
            target.open("w+b") as signed,
        ):
            try:
                manifest: bytes = builder.sign(signer, media_type, plain, signed)
            except c2pa.C2paError:
                if refused:
                    raise refused[0] from None
                raise
    return manifest


def read(file: BinaryIO, media_type: str, anchors: str, companion: bytes | None = None) -> Report:
    """What the manifest store in `file` says, judged by the PEM roots in `anchors`.

    With `companion`, the content of the `.c2pa` file beside it, that one counts instead.

    Nothing is ever fetched. A manifest that is broken in any way is `invalid`, as is one with an
    ingredient that was changed: the library calls such a file trusted at its top level.
    """
    try:
        context = _context(anchors)
        with c2pa.Reader(media_type, file, manifest_data=companion, context=context) as reader:
            store = json.loads(reader.json())
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
        return Report("absent")
    except c2pa.C2paError as error:
        # The library has no class of its own for a manifest that it may not fetch.
        if str(error).startswith("Remote: "):
            return Report("absent", remote=str(error).rpartition(" ")[2])
        problem = (str(error)[:200],)
        # A damaged file that holds no manifest store is damaged, and nothing more.
        held = companion is not None or _holds_a_store(file)
        return Report("invalid" if held else "absent", problems=problem)
    manifests = store["manifests"]
    active = manifests[store["active_manifest"]]
    results = store.get("validation_results", {})
    problems = sorted(set(_failures(results)))
    problems += [code for code in _ingredient_failures(manifests) if code not in problems]
    # An unknown signer, of this file or of what it was made from, breaks nothing.
    broken = [code for code in problems if not code.endswith(_INTACT)]
    if broken:
        state = "invalid"
    elif "signingCredential.expired" in problems:
        state = "expired"
    else:
        states = {"Trusted": "trusted", "Valid": "valid"}
        state = states.get(store.get("validation_state", ""), "invalid")
    assertions = {one["label"]: one["data"] for one in active.get("assertions", [])}
    signature = active.get("signature_info", {})
    names = [signature.get(name) for name in ("issuer", "common_name")]
    agents = active.get("claim_generator_info") or [{}]
    return Report(
        state,
        signer=" / ".join(dict.fromkeys(str(name) for name in names if name)),
        generator=f"{agents[0].get('name', '')} {agents[0].get('version', '')}".strip(),
        problems=tuple(problems),
        manifests=len(manifests),
        soft_bindings=dict(_soft_bindings(active.get("assertions", []))),
        generation=assertions.get(_GENERATION, {}),
        ingredients=tuple(
            {
                "title": str(one.get("title") or one.get("label") or ""),
                "relation": str(one["relationship"]),
                "state": _ingredient_state(one),
            }
            for one in active.get("ingredients", [])
        ),
    )


def _definition(statement: Statement, worked_on: Sequence[str]) -> dict[str, Any]:
    """What is to be signed; `worked_on` labels what was opened and edited, and not only used."""
    agent = {"name": "Colophon", "version": statement.version}
    actions: list[dict[str, Any]]
    if worked_on:
        actions = [
            {"action": "c2pa.opened", "parameters": {"ingredientIds": list(worked_on)}},
            {
                "action": "c2pa.edited",
                "digitalSourceType": f"{_SOURCES}compositeWithTrainedAlgorithmicMedia",
                "softwareAgent": agent,
            },
        ]
    else:
        actions = [
            {
                "action": "c2pa.created",
                "digitalSourceType": f"{_SOURCES}trainedAlgorithmicMedia",
                "softwareAgent": agent,
            }
        ]
    use = "allowed" if statement.allow_training else "notAllowed"
    generation = {
        "label": "AI-generated",
        "studio": statement.studio,
        "task": statement.task,
        "model": statement.card,
        "revision": statement.revision,
        "licence": statement.licence,
    }
    if statement.notice:
        generation["notice"] = statement.notice
    assertions: list[dict[str, Any]] = []
    if statement.marks:
        actions.append({"action": "c2pa.watermarked.bound"})
    for method, number in statement.marks.items():
        binding = {"alg": method, "blocks": [{"scope": {}, "value": number}]}
        assertions.append({"label": "c2pa.soft-binding", "data": binding})
    return {
        "claim_generator_info": [agent],
        "title": f"AI-generated, made with {statement.card}",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            *assertions,
            {
                "label": "cawg.training-mining",
                "data": {"entries": {f"cawg.{what}": {"use": use} for what in _TRAINING}},
            },
            {"label": _GENERATION, "data": generation},
        ],
    }


def _holds_a_store(file: BinaryIO) -> bool:
    """Whether the file has anything of a manifest store: its boxes (JUMBF) are never compressed."""
    file.seek(0)
    last = b""
    while piece := file.read(1 << 20):
        if b"jumb" in last + piece:
            return True
        last = piece[-3:]
    return False


def _context(anchors: str) -> c2pa.Context:
    settings: dict[str, Any] = {
        "verify": {
            "verify_trust": True,
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
            # Sealing reads every file back and publishes none whose manifest is not valid.
            "verify_after_sign": False,
        },
        "builder": {"thumbnail": {"enabled": False}},
    }
    if anchors:
        settings["trust"] = {"user_anchors": anchors}
    return c2pa.Context.from_dict(settings)


def _failures(results: Mapping[str, Any]) -> Iterator[str]:
    """Status codes of all failures in a validation result, those of ingredients below it too."""
    for name, value in results.items():
        if name == "failure":
            yield from (one["code"] for one in value)
        elif isinstance(value, Mapping):
            yield from _failures(value)
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, Mapping):
                    yield from _failures(one)


def _ingredient_failures(manifests: Mapping[str, Any]) -> Iterator[str]:
    for manifest in manifests.values():
        for ingredient in manifest.get("ingredients", []):
            for code in _failures(ingredient.get("validation_results", {})):
                yield f"ingredient: {code}"


def _ingredient_state(ingredient: Mapping[str, Any]) -> str:
    """How far the manifest of one ingredient holds."""
    if "active_manifest" not in ingredient:
        return "absent"
    problems = _failures(ingredient.get("validation_results", {}))
    holds = all(code.endswith("signingCredential.untrusted") for code in problems)
    return "valid" if holds else "invalid"


def _soft_bindings(assertions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in assertions:
        if one["label"].startswith("c2pa.soft-binding"):
            for block in one["data"].get("blocks", []):
                yield str(one["data"].get("alg", "")), str(block.get("value", ""))
