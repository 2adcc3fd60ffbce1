"""Linear and nonlinear operators: what a method asks of any of them, and those that are no scanner."""

from resample_ct.operators.foreign import adapt as adapt
