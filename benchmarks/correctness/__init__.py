"""Is it right? Comparison with the reference."""
