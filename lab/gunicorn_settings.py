"""Gunicorn's settings for one Keystone or Nova of the lab.

They come from a file and the environment, since Keystone and Nova parse their process's command line as
their own.
"""

import os
import sys
from pathlib import Path

# Last in the path, so that no folder of the project hides a module that OpenStack imports
sys.path.append(str(Path(__file__).resolve().parents[1]))

bind = "127.0.0.1:" + os.environ["FLAVORSYNC_LAB_PORT"]
wsgi_app = "lab.wsgi:" + os.environ["FLAVORSYNC_LAB_APPLICATION"]
# One process, so that all requests share one lock and one token cache
workers = 1
threads = 16
worker_class = "gthread"
# Longer than any connection pool keeps an idle connection
keepalive = 600
timeout = 120
graceful_timeout = 2
control_socket_disable = True
loglevel = "warning"
