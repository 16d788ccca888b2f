"""What must be there before a job can run: packages, devices, weights, memory."""
