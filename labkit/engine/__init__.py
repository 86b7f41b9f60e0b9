"""The engine: requests in, generations out to the sink it is given, within limits, budget and patience.

`executor` is its face, `event_loop` the thread it runs in, `retry.Policy` how patient it is. It knows neither
prompts nor datasets nor DuckDB.
"""
