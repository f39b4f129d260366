"""`wattledger report`: rows out of a ledger or a Prometheus, and the report as text, CSV, JSON or a page."""
