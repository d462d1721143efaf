"""How fast each library multiplies matrices here, and which plan of several products is the quickest.

`python -m impls.core.rates` prints the table: the products of some problems by each library.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from impls.core.products import Library, Products, Run, libraries

TRIES = 3
"""The least number of times that products are timed, where TIMES_LONGER allows for it."""
TIMES_LONGER = 10
"""Beside other work, products may take a hundred times as long: a trial ends at this multiple of its least seconds."""
RATE_SECONDS, PEAK_SECONDS = 0.015, 0.15
"""The least seconds for which a library is tried: at products of the floor, and at one size of the peak."""
WARM_UP_SECONDS = 0.3
"""A GPU that was idle needs some time to raise its clock."""
SETTLE_SECONDS = 0.05
"""The idle threads of another library spin on the same processors for about so long."""


def seconds(run: Callable[[], object], least: float, warm_up: float = 0.0) -> list[float]:
    """Return the seconds of some calls: TRIES at least, and for that time at least.

    Before come one that does not count, and more for so many seconds of warm-up.
    """
    end = time.perf_counter() + warm_up
    run()
    while time.perf_counter() < end:
        run()
    taken: list[float] = []
    spent = 0.0
    while not taken or spent < least or (len(taken) < TRIES and spent < TIMES_LONGER * least):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
        spent += taken[-1]
    return taken


Rates = dict[str, dict[str, float]]
"""By the id of some products and the library: floating-point operations per second, of the quickest call."""


def rates(wanted: list[Products], candidates: dict[str, Library]) -> Rates:
    """Return how fast each library does these products."""
    found: Rates = {products.id: {} for products in wanted}
    for name, candidate in candidates.items():
        time.sleep(SETTLE_SECONDS)
        for products in dict.fromkeys(wanted):
            found[products.id][name] = products.operations / min(seconds(candidate.prepare(products), RATE_SECONDS))
    return found


def peaks(device: str, dtype: str, wait: Callable[[], None]) -> dict[str, float]:
    """Return for each library its best rate at one large product, over some sizes.

    Args:
        device: "cpu" or "cuda".
        dtype: "float32" or "float64".
        wait: waits until the device has done what it was given.
    """
    found: dict[str, float] = {}
    for name, candidate in libraries(device, dtype).items():
        time.sleep(SETTLE_SECONDS)
        rate = 0.0
        for n in (1024, 2048, 4096, 8192):
            products = Products(1, n, n, n)
            if rate and products.operations / rate > PEAK_SECONDS:
                break
            run = candidate.prepare(products)

            def whole(run: Run = run) -> None:
                run()
                wait()

            warm_up = WARM_UP_SECONDS if device == "cuda" else 0.0
            rate = products.operations / min(seconds(whole, PEAK_SECONDS, warm_up))
            found[name] = max(rate, found.get(name, 0.0))
    return found


def quickest(plans: list[list[Run]], least: float, share: float = 1.0) -> int:
    """Return the index of the plan whose median time is the least.

    Args:
        plans: each is what it runs, one after another.
        least: the least seconds for which a plan is tried.
        share: another plan than the first must take less than this share of the first one's time.
    """

    def median(plan: list[Run]) -> float:
        return statistics.median(seconds(lambda: [run() for run in plan], least))

    if len(plans) == 1:
        return 0
    first, *others = map(median, plans)
    times = [share * first, *others]
    return times.index(min(times))


def main() -> None:
    """Print a table: the rates of each library, in GFLOP/s."""
    shown = [(1, 1, 128, 512), (64, 1, 128, 512), (64, 16, 128, 512), (64, 16, 512, 128), (32, 64, 512, 2048)]
    shown += [(1, 1024, 128, 512), (1, 2048, 256, 2048), (1, 2048, 2048, 512)]
    with torch.inference_mode():
        found = libraries("cpu", "float32")
        table = rates([Products(*shape) for shape in shown], found)
        table["one large product"] = peaks("cpu", "float32", lambda: None)
    print("| GFLOP/s, float32 |", " | ".join(found), "|")
    print("| --- |", " | ".join("---:" for _ in found), "|")
    for shape, of_library in table.items():
        print(f"| {shape} |", " | ".join(f"{of_library[name] / 1e9:.0f}" for name in found), "|")


if __name__ == "__main__":
    main()
