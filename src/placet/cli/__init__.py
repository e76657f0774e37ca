"""The command `placet`."""
