"""Do cached answers rank strategies as live training does? The searches and trainings that tell."""
