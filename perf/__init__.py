"""How fast and how small Packstone is: `python -m perf.run` measures the table of docs/performance.md."""
