"""How a camera joins its fleet: its own key, a certificate, all it needs to run."""
