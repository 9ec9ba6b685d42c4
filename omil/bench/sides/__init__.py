"""The processes whose work is measured: each module's `Measured` waits for questions of side.py."""
