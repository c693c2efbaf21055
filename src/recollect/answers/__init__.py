"""What a trained model can be asked: lists for all, items alike, scores of pairs, vectors, and why."""
