"""A measured scan is checked before it is believed."""
