"""The schematic: where each symbol stands, as SVG and as a KiCad file."""
