"""A run's events while it goes and after: numbered, kept, followed from any process. Does not know HTTP."""
