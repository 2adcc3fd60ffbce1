"""Where a training starts from: the shipped prior, random weights, a bundle or a released checkpoint."""
