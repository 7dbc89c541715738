"""Real faults: kill processes, stop databases, fill disks, and check that no notification is lost."""
