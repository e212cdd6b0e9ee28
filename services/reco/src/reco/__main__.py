"""`python -m reco prepare|serve|work|relay`."""

from reco.bootstrap import DEFINITION
from servicekit.runtime import main

if __name__ == "__main__":
    main(DEFINITION)
