"""The demo: uses the project and checks what became of it. A project of your own needs nothing of this."""
