"""Prompts asked on several models: admitted, asked, counted, kept in a history. Does not know HTTP."""
