"""doorsill counts who crosses a shop's door and remembers no one."""

__version__ = "0.1.0"
