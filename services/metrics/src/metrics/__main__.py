"""`python -m metrics prepare|serve|work|relay`."""

from metrics.bootstrap import DEFINITION
from servicekit.runtime import main

if __name__ == "__main__":
    main(DEFINITION)
