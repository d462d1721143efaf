"""Which build of PyTorch uv installs: that for CPUs, a tenth of the size, where nothing speaks for another.

The noxfile runs this file before anything is installed, so it imports only the standard library.
"""

import os
import shutil
import threading
import urllib.request
from pathlib import Path

INDEX = "https://download.pytorch.org/whl/cpu/torch/"
"""PyTorch's own index of its builds for CPUs. uv takes nothing but PyTorch's packages from there."""
SECONDS = 2.0
"""The index must answer within this time."""
DRIVERS = ("/proc/driver/nvidia/version", "/sys/module/nvidia/version", "/dev/dxg")
"""Files of an NVIDIA driver; the last one is that of Windows' subsystem for Linux."""
CHOICES = (
    "TORCH_BACKEND", "INDEX", "DEFAULT_INDEX", "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "CONSTRAINT",
    "OVERRIDE", "OFFLINE", "CONFIG_FILE",
)  # fmt: skip
"""Variables of uv, without UV_, by which a user chooses where packages come from."""
SAID = "no NVIDIA driver: PyTorch's build for CPUs; for another one, set UV_TORCH_BACKEND=auto or cu130"
"""What a user reads where that is chosen."""


def variables() -> dict[str, str]:
    """Return the variables by which uv takes PyTorch's build for CPUs; empty where it takes what the registry has."""
    has_chosen = any(os.environ.get(f"UV_{name}") for name in CHOICES)
    has_driver = any(Path(path).exists() for path in DRIVERS) or shutil.which("nvidia-smi")
    if has_chosen or has_driver or not answers():
        return {}
    return {"UV_TORCH_BACKEND": "cpu"}


def answers() -> bool:
    """Return whether PyTorch's index answers in time."""
    found: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(INDEX, timeout=SECONDS) as answer:
                found.append(answer.status == 200)
        except OSError:
            found.append(False)

    # to find a host has no limit of time of its own
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return found == [True]
