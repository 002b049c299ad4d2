"""What is run: tasks, sources of answers, budgets, the runner, suites and run folders."""
