"""Models of how long members stay and how often they buy, fitted by maximum likelihood. Pure."""
