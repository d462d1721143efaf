"""What the files of one framework share."""
