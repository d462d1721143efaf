"""A fleet: the same run on many nodes, by a scheduler that is there (Slurm), or one after the other on this machine."""
