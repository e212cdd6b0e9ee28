"""`python -m payment_simulator`: runs until SIGTERM or SIGINT."""

import argparse
import logging

from aiohttp import web

from payment_simulator.app import Simulator
from payment_simulator.settings import SimulatorSettings
from payment_simulator.signing import signer_of


def main() -> None:
    """Serve the simulated provider."""
    argparse.ArgumentParser(prog="payment_simulator", description="A payment provider for trials.").parse_args()
    logging.basicConfig(level="INFO")
    settings = SimulatorSettings()
    app = Simulator(settings, signer_of(settings.key_dir)).app()
    web.run_app(app, host=settings.simulator_host, port=settings.simulator_port, access_log=None, print=None)


if __name__ == "__main__":
    main()
