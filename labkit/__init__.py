"""labkit tells a researcher which prompt and which model to use, how sure that is, and at what price."""
