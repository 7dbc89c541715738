"""What it costs to take a notification: `python -m benchmarks.receive --database sqlite`."""
