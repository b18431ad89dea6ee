"""The tests' settings: the project's own, and nothing of the developer's.

Neither a `.env` file nor an exported variable changes what a test sees. Only DATABASE_URL passes
through: the same tests run on SQLite and on MariaDB.
"""

import os
import tempfile

from testing.source import setting_names

for _name in setting_names() - {"DATABASE_URL"}:
    os.environ.pop(_name, None)
# Processes that a test starts inherit this.
os.environ["ENV_FILE"] = os.devnull
os.environ["INFRASTRUCTURE_URL_ALLOWLIST"] = "*,127.0.0.1"  # where the clouds of tests and of the lab are
os.environ["SECRET_KEY"] = "for-tests-only-and-long-enough-for-the-checks-of-the-deployment-0123456789"

from flavorsync_project.settings import *  # noqa: E402, F403

# The real one deliberately takes a third of a second for each password. Tests of the hashing set it themselves.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Each test client starts a service, which would first list all static files. That takes four times as long as the
# answer. This way files are looked up on request.
WHITENOISE_AUTOREFRESH = True

# In a file, as everywhere else: a database in memory has one connection, and synchronisation runs need one per node.
if "sqlite" in DATABASES["default"]["ENGINE"]:  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": f"{tempfile.gettempdir()}/flavorsync-test-{os.getpid()}.sqlite3"}  # noqa: F405

# Tests of faults let a cloud fail again and again, and still ask it; tests of the breaker say when it opens.
CLOUD_BREAKER_FAILURES = 0
