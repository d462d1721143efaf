"""Is it right? The matrix of `agree`, and implementations that are wrong on purpose."""
