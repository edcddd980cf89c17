"""The control plane: administration on the data directory's socket, health and metrics on TCP."""
