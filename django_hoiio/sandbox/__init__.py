"""Hoiio on one's own desk: its REST API, the notifications that follow, and a telephone in the browser.

For development alone: the gate lets nobody in unless `HOIIO['API_URL']` is this machine. What is kept is kept in the
memory of one process, and gone when it ends.
"""
