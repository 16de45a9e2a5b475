"""`python -m pipedrive_cli`: the same as the console script."""

from pipedrive_cli.cli import main

if __name__ == "__main__":
    main()
