"""The tests. A package of its own: Canaille (by pytest-iam) installs one of that name, found first else."""
