"""The page that people look at: what is where, since when and why, as a folder of files that needs no server."""
