"""Arithmetic only, no clock, no I/O: what an auditor reads."""
