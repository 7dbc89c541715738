"""Faults that are really done to the app: processes killed, databases stopped, disks full, and what must hold then."""
