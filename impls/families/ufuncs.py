"""What NumPy, which has no profiler, runs in a call: its ufuncs, such as matmul, and the BLAS behind them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from impls.api import Ran


def watched(events: list[tuple[str, Ran]]) -> type[np.ndarray[Any, Any]]:
    """Return a class of arrays that write each ufunc on them to `events`, with its seconds: `array.view(watched(…))`.

    What a ufunc returns is watched too. So are a watched array's parts, and what `np.stack` and the like make of them.
    """

    def plain(value: Any) -> Any:  # a number stays one: as an array, it would turn float32 into float64
        return value.view(np.ndarray) if isinstance(value, Watched) else value

    class Watched(np.ndarray[Any, Any]):
        def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
            arrays = [plain(value) for value in inputs]
            if "out" in options:
                options["out"] = tuple(map(plain, options["out"]))
            begin = time.perf_counter()
            result = getattr(ufunc, method)(*arrays, **options)
            events.append((ufunc.__name__, Ran(time.perf_counter() - begin, 1)))
            return np.asarray(result).view(Watched)

        def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
            result = super().__array_function__(function, types, arguments, options)
            return result.view(Watched) if isinstance(result, np.ndarray) else result

    return Watched


def blas() -> str | None:
    """Return NumPy's BLAS and the processor it takes this one for; None where that is not known."""
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    if len(pools) > 1:  # such as SciPy's own
        pools = [pool for pool in pools if "numpy" in pool["filepath"]]
    return f"{pools[0]['internal_api']} {pools[0].get('architecture', '')}".strip() if len(pools) == 1 else None
