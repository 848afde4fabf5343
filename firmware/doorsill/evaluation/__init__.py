"""A recording or a model at a desk: counted, drawn, measured."""
