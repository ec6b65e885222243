"""The device a child owns. The processor is there without torch, which some families never need."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import psutil

from studio.errors import Unavailable
from studio.heap import trim
from studio.memory import Room
from studio.worker.gauge import Gauge
from studio.worker.machine import only_a_processor


@dataclass(frozen=True)
class Device:
    """One processor or accelerator."""

    #: What torch calls it: `cpu`, `mps`, `cuda:0`.
    name: str
    #: What people call it: `NVIDIA H200`.
    title: str

    def room(self) -> Room:
        """The memory there is now, in bytes; what torch holds and does not use counts as free."""
        host = psutil.virtual_memory()
        if not self.name.startswith("cuda"):
            return Room(host.total, host.available, host.available, shared=True)
        import torch

        free, total = torch.cuda.mem_get_info(self.name)
        return Room(total, free + self.idle(), host.available)

    def idle(self) -> int:
        """Bytes that torch holds on the device and does not use."""
        if not self.name.startswith("cuda"):
            return 0
        import torch

        return torch.cuda.memory_reserved(self.name) - torch.cuda.memory_allocated(self.name)

    def gauge(self) -> Gauge:
        """What measures how much memory is taken from now on."""
        return Gauge(self.name)

    def release(self) -> None:
        """Give back to the system what Python and torch hold and do not use."""
        gc.collect()
        if self.name != "cpu":
            import torch

            (torch.mps if self.name == "mps" else torch.cuda).empty_cache()
        trim()

    def healthy(self) -> bool:
        """Whether the device still answers. After a CUDA error it never does in this process."""
        if self.name.startswith("cuda"):
            import torch

            try:
                torch.cuda.synchronize(self.name)
            except RuntimeError:
                return False
        return True


def open_device(name: str) -> Device:
    """The device called `name`; `auto` takes the first accelerator, else the processor.

    Raises:
        Unavailable: if this machine has no such device.
    """
    if name == "cpu" or (name == "auto" and only_a_processor()):
        return Device("cpu", "cpu")
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda:0"
        else:
            name = "mps" if torch.backends.mps.is_available() else "cpu"
    elif name == "cuda":
        name = "cuda:0"
    try:
        # The first tensor is what finds out whether a device is there and works.
        torch.zeros(1, device=name)
        title = torch.cuda.get_device_name(name) if name.startswith("cuda") else name
    except (RuntimeError, AssertionError) as error:
        raise Unavailable(
            f"The device {name!r} cannot be used: {str(error).partition(chr(10))[0]}",
            hint="Set STUDIO_DEVICES to auto, cpu, mps or cuda:0; `studio doctor` knows more.",
        ) from None
    return Device(name, title)
