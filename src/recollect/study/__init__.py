"""Studies: whole runs from a log to a trained model and its figures, each described by one settings file."""
