"""`python -m wellserved` is the same as `wellserved`."""

from wellserved.cli import main

if __name__ == "__main__":
    main()
