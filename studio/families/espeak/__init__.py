"""The voice that ships as the extra `speech`: espeak-ng, in a process of its own.

`sentences` (text to sentences and pauses) → `family` (orders to drafts) → `voice`, the only module
that loads espeak-ng, which is GPL-3.0-or-later; the family talks to it through two pipes.
"""
