"""`python -m recollect` is `recollect`, for where the command is not on the path."""

from recollect.cli.start import main

if __name__ == "__main__":
    main()
