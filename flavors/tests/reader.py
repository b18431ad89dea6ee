"""A process that reads the catalogue over the API: for each line of its input, what the flavor `f` has for `ram`."""

import json
import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "flavorsync_project.settings"
django.setup(set_prefix=False)

from django.test import Client  # noqa: E402


def main() -> None:
    """Read until there is nobody to read for."""
    client = Client(headers={"Host": "localhost"})
    for _ in sys.stdin:
        flavors = json.loads(client.get("/v1/flavors").content)["flavors"]
        found = next(flavor["ram"] for flavor in flavors if flavor["id"] == "f")
        sys.stdout.write(f"{found}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
