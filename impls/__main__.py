"""python -m impls list | evaluate | environments: the commands of these names of `python -m benchmarks`."""

import runpy

# This alone leads from impls to benchmarks. It is no import: it starts a program in place of this one, as exec would,
# but without a second interpreter. Nothing in impls uses what benchmarks defines.
runpy.run_module("benchmarks", run_name="__main__", alter_sys=True)
