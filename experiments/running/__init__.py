"""Running an item's jobs, how they stand, whether their records are fresh, collecting and uploading them."""
