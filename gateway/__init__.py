"""The faces of a node other than S3 itself: the command line and the control plane."""
