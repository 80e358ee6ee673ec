"""What is said of results beside the paper's: cells with their uncertainty, claims and whether they hold."""
