"""jax.export with a symbolic length refuses a lax.scan with unroll.
https://docs.jax.dev/en/latest/export/shape_poly.html

Fails with: jax>=0.6
Instead: unroll=1.
"""

import jax
import jax.numpy as jnp
from jax import export, lax


@jax.jit
def rnn(x):
    return lax.scan(lambda h, row: (jnp.tanh(h + row),) * 2, jnp.zeros(x.shape[1:]), x, unroll=2)[1]


x = jnp.ones((5, 2, 3))
rows = jax.ShapeDtypeStruct(export.symbolic_shape("t, 2, 3"), x.dtype)
difference = jnp.abs(export.export(rnn)(rows).call(x) - rnn(x)).max()
assert difference < 1e-5, f"the exported loop is off by {difference}"
