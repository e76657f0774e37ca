"""Network: nodes, sealed connections between processes and hosts, and clients."""
