"""The starter composer: a small transformer writes the music, and our own synthesiser plays it.

`theory` → `plan` (what was asked) → `notation` (bars and tokens) → `arrange` (bars to notes) →
`synthesiser` (notes to samples); `family` holds the model and is the only module with torch.
"""
