"""`python -m proxy_core.cli`: the command without its script."""

from proxy_core.cli import main

if __name__ == "__main__":
    main()
