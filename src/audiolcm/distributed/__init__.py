"""Several processes and devices: who is first, what all agree on, precision, tensors that are sharded."""
