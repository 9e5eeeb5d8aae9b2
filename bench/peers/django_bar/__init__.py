"""Django with its ORM, and django-daraja for what Safaricom says and is told."""
