"""`python -m billing prepare|serve|work|relay`."""

from billing.bootstrap import DEFINITION
from servicekit.runtime import main

if __name__ == "__main__":
    main(DEFINITION)
