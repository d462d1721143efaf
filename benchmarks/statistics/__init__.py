"""Pure functions of arrays: ratios, intervals, many comparisons at once."""
