"""Every sentence of the pages, in one place, ready for other languages.

Titles and descriptions of fields are not here: they belong to the tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "studio.name": "Colophon",
        "studio.line": "A studio that signs its work.",
        "studio.pages": "Pages",
        "door.token": "Token",
        "door.press": "Come in",
        "door.wrong": "That is not this studio’s token. Whoever runs it has it.",
        "make.page": "Make",
        "make.task": "Task",
        "make.model.missing": "{title} (not installed)",
        "make.advanced": "Advanced",
        "make.random": "random",
        "make.default": "default",
        "make.press": "Make",
        "work.title": "Your work",
        "work.empty": "Nothing here yet",
        "work.empty.how": "Describe something and press Make. What you make appears here and stays "
        "when you close the page.",
        "work.empty.signed": "Every result leaves with a colophon: a mark in the picture, a signed "
        "manifest and an entry in this studio’s ledger.",
        "job.sent": "Taking its place in line",
        "job.next": "Next in line",
        "job.ahead.one": "1 job goes first",
        "job.ahead.many": "{count} jobs go first",
        "job.loading": "Loading {model}",
        "job.step": "Step {done} of {total}",
        "job.step.one": "{index} of {count}: step {done} of {total}",
        "job.sealing": "Marking and signing",
        "job.stopped": "Stopped",
        "job.stopped.how": "It was stopped before it was finished.",
        "job.failed": "Not made",
        "job.stop": "Stop",
        "job.stop.label": "Stop making {subject}",
        "job.again": "Make again",
        "job.again.label": "Make {subject} again",
        "job.progress": "Progress of {subject}",
        "preview.label": "Preview",
        "preview.alt": "Preview, step {done} of {total}: unfinished, and kept nowhere",
        "result.alt": "AI-generated: {subject}",
        "result.alt.many": "AI-generated: {subject} ({index} of {count})",
        "result.open": "Open the finished file",
        "result.verify": "Verify",
        "result.verify.label": "Verify {subject}",
        "result.checking": "Checking",
        "result.download": "Download",
        "receipt.model": "Model",
        "receipt.seed": "Seed",
        "receipt.file": "File",
        "receipt.pixels": "{width} × {height} px, ",
        "receipt.time": "Time",
        "receipt.seconds": "{seconds} s from order to signature",
        "receipt.marks": "Carries",
        "receipt.mark.image": "an invisible mark",
        "receipt.mark.other": "a mark ({name})",
        "receipt.manifest": "a signed manifest",
        "receipt.says": "{marks}. They say that it was made with AI, by this studio and with which "
        "model. They do not hold the prompt or your name.",
        "verify.page": "Verify",
        "verify.title": "Where does this file come from?",
        "verify.how": "Drop a file to see what it carries. It is opened in a sealed-off process, "
        "checked here, and deleted at once.",
        "verify.drop": "Files to check",
        "verify.empty": "What can be found",
        "verify.empty.manifest": "A signed manifest says who vouches for a file. It proves, and it "
        "is lost when a file is saved anew.",
        "verify.empty.mark": "An invisible mark in the picture points to this studio’s ledger. It "
        "survives saving anew and some cropping; it points, it does not prove.",
        "verify.empty.fingerprint": "A fingerprint finds works made here that look almost the "
        "same. It is a hint.",
        "verify.empty.none": "Finding nothing says nothing: most files carry no colophon.",
        "verify.details": "Details",
        "detail.yes": "yes",
        "detail.no": "no",
        "layer.manifest": "Signed manifest",
        "layer.mark": "Invisible mark",
        "layer.fingerprint": "Fingerprint",
        "layer.ledger": "This studio’s ledger",
        "state.trusted": "trusted",
        "state.valid": "valid",
        "state.invalid": "broken",
        "state.absent": "not there",
        "state.found": "found",
        "state.weak": "faint",
        "verdict.signed": "Signed",
        "verdict.unknown-signer": "Signed by someone you do not know",
        "verdict.marked": "Marked",
        "verdict.fingerprint": "Looks familiar",
        "verdict.none": "Nothing found",
        "verdict.contradicted": "Contradicted",
        "error.check": "This file could not be checked",
        "error.form": "That cannot be made",
    }
)


def say(key: str, /, **values: object) -> str:
    """The sentence called `key`, with `values` filled in."""
    return ENGLISH[key].format(**values)
