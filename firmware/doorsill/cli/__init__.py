"""Every command; the only place that speaks to a person."""
