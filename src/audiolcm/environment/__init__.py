"""The Python and the packages that this runs with: what is installed, what is wrong with it, what to type."""
