"""The regression gate, measured on itself."""
