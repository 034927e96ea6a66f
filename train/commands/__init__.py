"""The commands of ``python -m train``: they parse, call and print; the work is done elsewhere."""
