"""What is said of the measurements. Needs neither torch nor jax."""
