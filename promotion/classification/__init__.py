"""Models that tell classes: what is counted of them, the figures that follow, and the same of each resample."""
