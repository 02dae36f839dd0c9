"""The machine that figures come from, and how busy others kept it meanwhile."""

import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any, Literal

_SETTINGS = ("MALLOC", "GLIBC_TUNABLES", "LD_PRELOAD", "OMP_", "MKL_", "XLA_", "JAX_")
_PACKAGES = ("jax", "jaxlib", "numpy", "torch", "scikit-learn")
BUSY = 0.05  # of the cores, used by others


def machine() -> dict[str, Any]:
    """Cores, processor, device, versions, and the variables that change the allocator or XLA."""
    import jax  # here, because it takes seconds, and results are shown without

    device = jax.devices()[0]
    return {
        "processor": _processor(),
        "cores": len(cores()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "backend": device.platform,
        "device": device.device_kind,
        "versions": _versions(),
        "libc": " ".join(platform.libc_ver()),
        "settings": {k: v for k, v in sorted(os.environ.items()) if k.startswith(_SETTINGS)},
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """The facts for a reader."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    settings = " ".join(f"{k}={v}" for k, v in facts["settings"].items())
    return [
        f"{facts['processor']}, usable cores: {facts['cores']}, {facts['system']}",
        f"backend {facts['backend']} ({facts['device']}), Python {facts['python']}, {versions}",
        f"allocator and settings: {facts['libc']}, {settings or 'none set'}",
    ]


def clock(backend: str, n_cores: int) -> Literal["wall", "cpu"]:
    """By which time speeds are judged: on one core of a CPU that of the core, which others hardly
    change; on several, or on an accelerator, how long one waits."""
    return "cpu" if backend == "cpu" and n_cores == 1 else "wall"


def cores() -> set[int]:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


class Others:
    """What other processes used of our cores since this was made, as a share of them."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), _used(), _own()

    def share(self) -> float | None:
        """Between 0 and 1; None where the system does not say."""
        began, used, own = self._began
        now, seconds = _used(), (time.perf_counter() - began) * len(cores())
        if used is None or now is None or not seconds:
            return None
        return round(min(1.0, max(0.0, (now - used - (_own() - own)) / seconds)), 3)


def load() -> list[float]:
    """The load averages of now."""
    return [round(number, 1) for number in os.getloadavg()]


def busy(load: list[float], share: float | None) -> str:
    """A sentence about the load before, and the share of others meanwhile."""
    before = f"load average {' '.join(map(str, load))} before; "
    if share is None:
        return f"{before}how busy others kept the machine is unknown here"
    said = f"{before}others used {share:.0%} of the cores meanwhile"
    return said + (": the machine was busy, wall times mean little" if share > BUSY else "")


def _own() -> float:
    return sum(os.times()[:4])  # of this process and of children that ended


def _used() -> float | None:
    """Seconds that our cores were not idle since the machine started."""
    try:
        text = Path("/proc/stat").read_text()
        tick = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None
    names, total = {f"cpu{core}" for core in cores()}, 0
    for line in text.splitlines():
        name, *ticks = line.split()
        if name in names:
            user, nice, system, _, _, irq, soft, steal = map(int, ticks[:8])
            total += user + nice + system + irq + soft + steal
    return total / tick


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
