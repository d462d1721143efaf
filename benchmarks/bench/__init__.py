"""The command bench: its options, its run, its rounds."""
