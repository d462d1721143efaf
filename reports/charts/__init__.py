"""How the charts of a report are drawn; the charts themselves are in reports/parts/."""
