"""What people and programs write where there is nothing, in ids as in times; compared in lower case."""

MISSING_WORDS = ("", "-", "--", "nan", "nat", "<na>", "null", "(null)", "none", "nil", "na", "n/a", "#n/a", "\\n")
