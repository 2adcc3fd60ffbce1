"""A study's way: what was asked for, its inputs and networks, the work, its outputs and their report."""
