"""Tests mirror the rooms: tests/measurement/test_session.py tests benchmarks/measurement/session.py."""
