"""Bringing models along: checkpoints in one file, folders, and what other programs have.

`look` says what lies at a path before anything happens; `bring` imports one of it, and `forget`
lets it go again. Nobody's own file is ever moved, changed or deleted.
"""

from studio.imports.bring import Wish, bring, forget, prepare
from studio.imports.look import Survey, look
from studio.imports.plan import Found

__all__ = ["Found", "Survey", "Wish", "bring", "forget", "look", "prepare"]
