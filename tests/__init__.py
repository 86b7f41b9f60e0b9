"""The tests. A package of its own: Canaille (by pytest-iam) installs one of that name, which `python -m` would
find first."""
