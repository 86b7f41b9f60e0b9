"""Runs of the service: admitted, driven, and ended where a kill broke them off. Does not know HTTP."""
