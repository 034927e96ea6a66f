"""The first tenant of promotion: a mixture of experts that detects intrusions in network flows."""
