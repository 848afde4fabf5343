"""In place of pidng, which has no wheel: picamera2 imports it, to save raw pictures.

A camera of ours saves no picture, so what would save one is not there.
"""
