from django_hoiio.pytest_plugin import hoiio

__all__ = ["hoiio"]
