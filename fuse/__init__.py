"""The namespace as a file system: what the kernel asks, asked of the node over its socket."""
