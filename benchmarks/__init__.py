"""Benchmarks: what django_hoiio costs, compared with code that a project might have written itself. Not tests.

Each runs as `python -m`: `benchmarks.receive` takes notifications, `benchmarks.admin` and `benchmarks.api` request
pages, `benchmarks.pruning` prunes old rows while new ones come, and `benchmarks.startup` loads the app.
"""
