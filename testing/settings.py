"""The settings the tests run with: the project's own, and nothing of the developer's.

Neither a `.env` file nor an exported variable changes what a test sees. DATABASE_URL alone passes
through: the same tests run on SQLite and on MariaDB.
"""

import os
import tempfile

from testing.source import setting_names

for _name in setting_names() - {"DATABASE_URL"}:
    os.environ.pop(_name, None)
# Processes that a test starts inherit this, too.
os.environ["ENV_FILE"] = os.devnull
os.environ["INFRASTRUCTURE_URL_ALLOWLIST"] = "*,127.0.0.1"  # where the clouds of tests and of the lab are
os.environ["SECRET_KEY"] = "for-tests-only-and-long-enough-for-the-checks-of-the-deployment-0123456789"

from flavorsync_project.settings import *  # noqa: E402, F403

# The real one takes a third of a second for each password, on purpose. Tests of the hashing name it themselves.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Every test client is a service that starts, and would list all static files first: that takes four times as long as
# to answer. This way they are looked up as they are asked for.
WHITENOISE_AUTOREFRESH = True

# In a file, as everywhere else: one in memory has one connection, and synchronisation runs have one per node.
if "sqlite" in DATABASES["default"]["ENGINE"]:  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": f"{tempfile.gettempdir()}/flavorsync-test-{os.getpid()}.sqlite3"}  # noqa: F405

# Tests of faults have one cloud fail again and again, and ask it each time; those of the breaker say when it opens.
CLOUD_BREAKER_FAILURES = 0
