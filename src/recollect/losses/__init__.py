"""Losses over hidden vectors and the item table: they never see a model, a log or a batch."""
