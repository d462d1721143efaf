"""gpu-check: does the suite measure correctly on this GPU? Every step is a line: passed, failed or not reached."""
