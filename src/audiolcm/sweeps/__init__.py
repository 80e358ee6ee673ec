"""Many jobs of one command: rows of a table, one after the other here or on SLURM, and the table that ends them."""
