"""What every implementation and every command stands on: problems, weights, the contract, environments."""
