"""What runs beside an implementation, in its process: what is requested of it, timing, comparing, devices."""
