"""Nothing but sealing turns pixels, samples or frames into a file: one walk over the source.

This catches accidents, not malice: a plug-in in the same process can always write a file. Paths
like `draft.spool`, which write raw arrays in no media format, are no media.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: What writes media, by the name that is called.
WRITERS = {
    "imwrite", "imencode", "imsave", "VideoWriter", "export_to_video", "export_to_gif",
    "numpy_to_pil", "write_videofile", "mimsave", "mimwrite", "write_png", "write_jpeg",
    "encode_jpeg", "encode_png", "save_image", "write_video",
}  # fmt: skip
#: Calls of `save` on these are no pictures.
HARMLESS_SAVERS = {"np", "numpy", "torch"}
#: Modules whose `write` writes sound.
SOUND_MODULES = {"soundfile", "sf", "wavfile", "torchaudio", "wave"}

#: Who may, and why.
EXCEPTIONS = {
    "studio/provenance/encode.py": "the encoder that sealing uses",
    "studio/provenance/encode_film.py": "the same, for films",
    "studio/sheet.py": "writes notes down, which are no sound, and says what they come from",
    "studio/commands/make.py": "copies finished files to where one wants them",
}


def media_writes(source: str) -> Iterator[tuple[int, str]]:
    """Lines that write media, and what they call."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        owner = called.value if isinstance(called, ast.Attribute) else None
        on = getattr(owner, "id", "")
        modes = [a.value for a in node.args[1:2] if isinstance(a, ast.Constant)]
        modes += [
            k.value.value
            for k in node.keywords
            if k.arg == "mode" and isinstance(k.value, ast.Constant)
        ]
        writes_file = any(isinstance(mode, str) and "w" in mode for mode in modes)
        if (
            name in WRITERS
            or (name == "save" and on not in HARMLESS_SAVERS and (node.args or node.keywords))
            or (name in ("write", "save") and on in SOUND_MODULES)
            or (name == "open" and on in {*SOUND_MODULES, "av"} and writes_file)
        ):
            yield node.lineno, ast.unparse(called)


def sources() -> list[Path]:
    return [path for room in ("studio", "ui", "bots") for path in (ROOT / room).rglob("*.py")]


def test_only_sealing_writes_media() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): writes
        for path in sources()
        if (writes := list(media_writes(path.read_text(encoding="utf-8"))))
    }
    assert {name: writes for name, writes in found.items() if name not in EXCEPTIONS} == {}
    # An exception that is not needed any more must go.
    assert set(found) >= set(EXCEPTIONS)


def test_only_sealing_publishes() -> None:
    publishers = {
        path.relative_to(ROOT).as_posix()
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "publish"
        and "store" in ast.unparse(node.func.value)
    }
    assert publishers == {"studio/provenance/seal.py"}


@pytest.mark.parametrize(
    "line",
    [
        "image.save(path)",
        "drawn.save(out)",
        "result.images[0].save('a.png')",
        "x.save(file, 'PNG')",
        "x.save(file, format=name)",
        "x.save(file, **options)",
        "cv2.imwrite(path, pixels)",
        "cv2.imencode('.png', pixels)",
        "soundfile.write(path, samples, rate)",
        "av.open(path, 'w')",
        "av.open(path, mode='w')",
        "wave.open(path, 'wb')",
        "export_to_video(frames, path)",
    ],
)
def test_the_walk_sees_what_it_should(line: str) -> None:
    assert list(media_writes(line))


@pytest.mark.parametrize(
    "line", ["np.save(path, array)", "av.open(path)", "settings.save()", "Image.open(path)"]
)
def test_the_walk_leaves_the_rest_alone(line: str) -> None:
    assert not list(media_writes(line))
