"""A local simulation of Hoiio: its REST API, its notifications, and a telephone in the browser.

For development only: every URL answers 404 unless `HOIIO['API_URL']` is a loopback address. All data is in the memory
of one process and is lost when it ends.
"""
