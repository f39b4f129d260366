"""What this host offers the agent, what is missing, why, and what cures it."""

from .run import run_doctor
from .surroundings import Roots

__all__ = ["Roots", "run_doctor"]
