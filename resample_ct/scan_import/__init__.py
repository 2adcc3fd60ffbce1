"""Scans in other programs' files, as sinograms of ours."""
