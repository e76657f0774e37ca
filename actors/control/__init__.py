"""The control socket: how commands of the same user reach a running engine, and what they do where there is none."""
