"""The files that people write, as values: declarations and policies, with the place of everything that is wrong."""
