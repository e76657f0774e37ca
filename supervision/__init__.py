"""When to try again, and when to give up: policies as values and pure functions.

`retry` is about a handler that failed, `losses` about a firing whose engine died under it, `faults` about a message
whose handling raises, and `budget` counts restarts within a window, of a node's engine too. Strategies of supervision
trees (one for one, rest for one) are not here: the actors of an instance are read back from disk together, and no other
instance notices.
"""
