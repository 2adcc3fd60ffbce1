"""Methods side by side: every one on the same slices, noises and numbers of views, and one report."""
