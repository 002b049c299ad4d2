"""Do cached answers rank strategies as live training does? The conclusions."""
