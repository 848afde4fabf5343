"""The interlock board: a netlist as text, and all that is made from it."""
