"""A process that reads a list over the API: for each line of its input, what the flavor `f` has there for `ram`."""

import json
import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "flavorsync_project.settings"
django.setup(set_prefix=False)

from django.test import Client  # noqa: E402

from identity.models import User  # noqa: E402


def main() -> None:
    """Read the list that the argument names until there is nobody to read for."""
    user = User.objects.create_user(f"reader-{os.getpid()}", password="reads")
    client = Client(headers={"Host": "localhost", "user": user.username, "password": "reads"})
    for _ in sys.stdin:
        flavors = json.loads(client.get(sys.argv[1]).content)["flavors"]
        found = next(flavor["ram"] for flavor in flavors if flavor["id"] == "f")
        sys.stdout.write(f"{found}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
