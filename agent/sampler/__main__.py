"""`python -m wattledger.agent.sampler`: started by the daemon, not by people."""

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
