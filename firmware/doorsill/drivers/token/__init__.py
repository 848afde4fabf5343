"""The consent card: PIV through pcscd, and FIDO2."""
