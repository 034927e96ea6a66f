"""Models that tell numbers: what is summed of them, the figures that follow, and the same of each resample."""
