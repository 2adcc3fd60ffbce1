"""Operators on images that are not CT: blur, inpainting, super-resolution."""
