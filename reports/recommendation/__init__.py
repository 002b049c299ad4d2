"""Which strategy to spend a budget on."""
