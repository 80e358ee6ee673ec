"""Tables of results: their cells and rows, and the formats that they are written in."""
