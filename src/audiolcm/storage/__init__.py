"""What is on disk: files written whole, hashes, leases, plain JSON and YAML, tensors, results of runs."""
