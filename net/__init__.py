"""Network: several engines on several hosts. Empty until the first node arrives."""
