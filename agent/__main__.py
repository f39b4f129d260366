"""`python -m wattledger.agent` is the command `wattledger`."""

import sys

from .cli import main

sys.exit(main())
