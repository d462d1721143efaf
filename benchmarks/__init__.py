"""How the implementations are checked and measured."""
