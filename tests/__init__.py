"""The tests. A package of its own, as Canaille (by pytest-iam) installs one of that name, which would be found
first by `python -m tests.…`."""
