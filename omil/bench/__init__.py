"""What `make bench` measures, one module per measured thing; docs/bench.md says what the figures mean."""
