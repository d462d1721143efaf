"""Pure functions of arrays: ratios, intervals, moderation, multiple comparisons."""
