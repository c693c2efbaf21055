"""Parts of counting models: the matrix of who met what, who is alike, the memory of a user's last items, scoring."""
