"""The lab over HTTP: the older workbench's endpoints, with users, streams and budgets. Extra `[server]`.

Nothing else in labkit imports it, so `import labkit` loads none of its packages.
"""
