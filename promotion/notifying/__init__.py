"""Tell people what happened: from the journal and the registry to a webhook, after the fact and never in the way of a write."""
