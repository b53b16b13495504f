"""The version of this wheel; the jar inside it has the same one."""

__version__ = "0.1.0"
