"""Equations: a traced program as mathematics, forward and backward, every printed line checked."""
