"""Makes the Grafana dashboards in ../dashboards; `make dashboards` runs it. Nothing here is in the wheel."""
