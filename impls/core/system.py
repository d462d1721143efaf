"""The systems that the suite runs on. Commands look here first; what imports implementations does not."""

import platform
import sys

PROCESSORS = ("x86_64", "aarch64")


def check() -> None:
    """End this process with one line and exit code 2, unless it runs on Linux on one of PROCESSORS."""
    here = platform.machine()
    if sys.platform != "linux" or here not in PROCESSORS:
        needed = " or ".join(PROCESSORS)
        print(  # noqa: T201
            f"error: the suite runs on Linux on {needed}; this is {sys.platform} on {here}",
            file=sys.stderr,
        )
        sys.exit(2)
