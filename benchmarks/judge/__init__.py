"""What decides whether results are right."""
