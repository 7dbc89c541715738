"""Benchmarks: django_hoiio beside what a project might have written itself, in one run. Never part of the tests."""
