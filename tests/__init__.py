"""Tests mirror the rooms: tests/runner/test_session.py tests benchmarks/runner/session.py."""
