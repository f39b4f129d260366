"""Charts of a report as SVG made by hand: they run no script, load nothing, and stretch with the page."""
