"""The machine that the figures belong to."""

import os
import platform
from pathlib import Path


def physical_cores() -> int:
    """Cores that this process may use; two threads of one core count once."""
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    topology = [Path(f"/sys/devices/system/cpu/cpu{cpu}/topology") for cpu in cpus]
    names = ("physical_package_id", "core_id")
    try:
        return len({tuple((path / name).read_text() for name in names) for path in topology})
    except OSError:
        return len(topology)


def describe() -> str:
    """Processor, cores, system and Python in one line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    cores = physical_cores()
    return f"{model}, {cores} core{'s' * (cores > 1)}, {platform.system()}, Python {platform.python_version()}"
