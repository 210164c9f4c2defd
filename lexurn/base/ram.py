"""How much memory this process may still take: RAM that is free, within its control groups."""

import os
import re
from contextlib import suppress
from pathlib import Path

CONTROL_GROUPS = {
    "": ("sys/fs/cgroup", "memory.max", "memory.current"),
    "memory": ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
}
"""Where versions 2 and 1 of control groups have their limits, by the name of the controller."""


def available_ram(root: Path = Path("/")) -> int:
    """Return the bytes of RAM that are available, in all control groups of this process too.

    Containers and batch systems set limits by control groups. Files that the system holds in memory
    count as available. On a system without /proc, such as macOS, it is the whole RAM.
    """
    meminfo, own_groups = root / "proc/meminfo", root / "proc/self/cgroup"
    if not meminfo.exists():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # the last one; old kernels do not have MemAvailable
    available = 1024 * int(re.findall(r"Mem(?:Free|Available):\s+(\d+)", meminfo.read_text())[-1])
    for line in own_groups.read_text().splitlines() if own_groups.exists() else ():
        _, controller, path = line.split(":", 2)
        mount, limit, usage = CONTROL_GROUPS.get(controller, ("", "", ""))
        folder = root / mount / path.lstrip("/")
        for group in (folder, *folder.parents):  # a container may see itself as the root
            with suppress(OSError, ValueError, IndexError):  # no such group, or no limit: `max`
                free = int((group / limit).read_text()) - int((group / usage).read_text())
                files = re.findall(r"inactive_file (\d+)", (group / "memory.stat").read_text())
                available = min(available, free + int(files[-1]))
    return available
