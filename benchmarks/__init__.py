"""Benchmarks: django_hoiio compared with code that a project might have written itself. Not part of the tests.

`python -m benchmarks.receive` takes notifications in process, over HTTP and over full tables,
`python -m benchmarks.startup` loads the app, and `python -m benchmarks.keeping` measures what the rows take.
"""
