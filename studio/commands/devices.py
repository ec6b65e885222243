"""`studio devices`: what generates here, what it holds in memory, and how fast it is."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from studio.client import Studio
from studio.worker.report import LaneState


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def devices(as_json: bool) -> None:
    """Show the devices: what is in their memory, and what was measured on them."""
    with Studio() as studio:
        found = studio.devices()
    if as_json:
        click.echo(json.dumps([asdict(device) for device in found], ensure_ascii=False))
        return
    for device in found:
        click.echo(_line(device))
        for model in device.kept:
            click.echo(
                f"  in memory: {model.name} ({model.placement}), {model.device_bytes / 1e9:.2f} GB "
                f"here, {model.host_bytes / 1e9:.2f} GB of main memory"
            )
        for gone in device.evictions:
            freed = (gone.device_bytes + gone.host_bytes) / 1e9
            click.echo(f"  left memory: {gone.name}, {freed:.2f} GB: {gone.why}")
        for speed in device.speeds:
            together = f", {speed.batch} at a time" if speed.batch > 1 else ""
            click.echo(
                f"  measured: {speed.card} {speed.task}, {speed.request}{together}: "
                f"{speed.seconds:.2f} s each, mean of {speed.runs}"
            )


def _line(device: LaneState) -> str:
    title = device.versions.get("device", device.device)
    name = device.device if title == device.device else f"{device.device} ({title})"
    if device.pid is None:
        return f"{name}: idle, nothing in memory"
    return (
        f"{name}: {device.free / 1e9:.1f} of {device.total / 1e9:.1f} GB free, worker {device.pid} "
        f"with {device.rss / 1e9:.1f} GB of main memory"
    )
