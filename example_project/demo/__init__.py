"""The demo: use the project and check the result. Your own project needs none of this."""
