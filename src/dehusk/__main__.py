"""`python -m dehusk` is `dehusk`."""

from dehusk.cli.main import main

if __name__ == "__main__":
    main()
