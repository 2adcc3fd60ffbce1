"""Schematic CT slices drawn from random numbers: what a prior can learn from where patients are few."""
