"""How often the regression gate gives a false alarm, and which slowdowns it finds."""
