"""What is compared: LSTM implementations, one file each, and the contract that they keep."""
