"""A Django project that uses django_hoiio. Copy from settings.py, urls.py, apps.py and receivers.py what you need."""
