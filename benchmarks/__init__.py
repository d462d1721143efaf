"""How the implementations are checked and measured."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder of this checkout."""
