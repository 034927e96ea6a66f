"""Proof that reconcile survives: kills, lost and doubled answers, races, stopped owners; on real servers and real git."""
