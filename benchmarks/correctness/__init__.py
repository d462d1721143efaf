"""Is it right? Comparing with the reference."""
