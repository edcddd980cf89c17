"""NFS: the namespace exported by NFS-Ganesha, over a mount of its own."""
