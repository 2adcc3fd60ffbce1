"""A result folder as one HTML page that needs no network: methods side by side, slice by slice."""
