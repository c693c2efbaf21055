"""Parts of counting models: the matrix of who met what, the memory of a user's last items, scoring in blocks."""
