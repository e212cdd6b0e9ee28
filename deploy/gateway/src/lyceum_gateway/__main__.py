"""`python -m lyceum_gateway`: print the Envoy configuration that the environment describes."""

import os
import sys

from lyceum_gateway import render
from lyceum_gateway.environment import SettingMissing, SettingUnusable, gateway_of

try:
    sys.stdout.write(render(gateway_of(os.environ)))
except (SettingMissing, SettingUnusable) as refusal:
    sys.exit(str(refusal))
