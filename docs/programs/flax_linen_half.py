"""flax.linen's LSTM cells with parameters in bfloat16 raise even where these are given: their initializer has a qr.

Fails with: jax>=0.11
Instead: `recurrent_kernel_init=flax.linen.initializers.zeros_init()`.
Shows: flax_linen -bfloat16 -float16
"""

# /// script
# dependencies = ["flax"]
# ///
import flax.linen as nn
import jax
import jax.numpy as jnp

x = jnp.zeros((2, 4))
full = nn.OptimizedLSTMCell(5)
carry = full.initialize_carry(jax.random.key(0), x.shape)
given = full.init(jax.random.key(0), carry, x)
halved, carry, x = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), (given, carry, x))
nn.OptimizedLSTMCell(5, param_dtype=jnp.bfloat16).apply(halved, carry, x)
