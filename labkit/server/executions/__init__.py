"""What is kept of what is asked: the history, budgets, keys, blocks. It asks nothing, and knows no HTTP."""
