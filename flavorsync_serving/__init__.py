"""How gunicorn serves Flavor Sync: its configuration and its worker, which import nothing of the application."""
