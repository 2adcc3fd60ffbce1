"""Values that all else speaks in: volumes, HU and attenuation, the networks' grid, a helical scan."""
