"""`python -m kaito_runtime`: the same as `kaito-runtime`."""

from kaito_runtime.cli import main

if __name__ == "__main__":
    main()
