"""What this repository publishes: its runs, and the blocks of its texts."""
