"""Strict reading of bytes from outside: JSON, TOML, PEM, X.509, and signatures."""
