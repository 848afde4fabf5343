"""The operating system of a camera: locked packages in, one image file out."""
