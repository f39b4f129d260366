"""`make fleet`: what fleets of simulated hosts cost real engines."""
