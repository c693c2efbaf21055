"""Times: which column holds them, how they are written, if they can be true. The way in is `column.read_moments`."""
