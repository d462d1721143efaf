"""What is compared: one file per LSTM implementation, and the contract between them."""
