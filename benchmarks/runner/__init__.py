"""One engine for every command: it starts workers, admits them, and measures in replicates."""
