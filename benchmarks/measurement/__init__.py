"""How long does it take? One engine for every command."""
