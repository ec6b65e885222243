"""The process that speaks: espeak-ng behind two pipes.

Run by its path: nothing of the studio is imported. A line of JSON comes in (`text`, `voice`,
`rate`, `pitch`), a line of JSON goes out (`rate` in Hz, `bytes`, or `error`), then so many bytes of
16-bit little-endian mono samples. It ends when its input does. espeak-ng is GPL-3.0-or-later:
nothing else is loaded into this process, and it into no other.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

#: From espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2
_RATE, _PITCH = 1, 3
_UTF8 = 1
_OK = 0
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _Voice:
    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        self._heard = bytearray()
        # The library keeps the pointer, and so must we.
        self._callback = _Callback(self._hear)
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str, rate: int, pitch: int) -> bytes | None:
        """16-bit samples; None if there is no such voice."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != _OK:
            return None
        self._library.espeak_SetParameter(_RATE, rate, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._heard.clear()
        content = text.encode() + b"\0"
        self._library.espeak_Synth(content, len(content), 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return bytes(self._heard)

    def _hear(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._heard += ctypes.string_at(samples, 2 * count)
        return 0


def main() -> None:
    """Speak whatever comes in, until nothing more comes."""
    voice = _Voice()
    for line in sys.stdin.buffer:
        # The library carries the state of its oscillators from one sentence to the next. A fork
        # forgets it, so that the same sentence always sounds the same.
        fork = os.fork()
        if fork == 0:
            _answer(voice, json.loads(line))
            os._exit(0)
        if os.waitpid(fork, 0)[1] != 0:
            sys.exit("espeak-ng ended while it spoke")


def _answer(voice: _Voice, order: dict[str, Any]) -> None:
    spoken = voice.say(**order)
    head: dict[str, Any] = {"error": "voice"}
    if spoken is not None:
        head = {"rate": voice.rate, "bytes": len(spoken)}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + (spoken or b""))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
