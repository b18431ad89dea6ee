"""The configuration and worker with which gunicorn serves Flavor Sync; they import nothing of the application."""
