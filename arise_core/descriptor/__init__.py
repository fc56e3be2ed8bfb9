"""The descriptor of a structure or a piece of one."""
