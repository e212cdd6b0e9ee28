"""`python -m notifications prepare|serve|work|relay`."""

from servicekit.starting import run_service

if __name__ == "__main__":
    run_service("notifications")
