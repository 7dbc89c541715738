"""Benchmarks: django_hoiio beside what a project might have written itself, in one run. Never part of the tests.

`python -m benchmarks.receive` takes notifications in process, over HTTP and over full tables,
`python -m benchmarks.startup` loads the app, and `python -m benchmarks.keeping` measures what the rows take.
"""
