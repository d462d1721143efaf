"""What implementations of the same framework share."""
