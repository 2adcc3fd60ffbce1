"""Functions f(A, y, ...) that need no training: the floor that a learned method must beat."""
