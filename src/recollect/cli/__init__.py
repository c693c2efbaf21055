"""The command line: one verb a file, each loading what it needs only when it is used."""
