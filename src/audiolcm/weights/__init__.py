"""Published files of weights: fetching them, and reading them without running what is in them."""
