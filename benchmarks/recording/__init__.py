"""Recording a table: its design, its trainings, and the journal that survives interruptions."""
