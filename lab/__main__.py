"""The command `scripts/lab`."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence

from lab.errors import LabError
from lab.lab import Lab, Mark, Served

_DOWN = 1
_FAILED = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 (`status`: a service does not run), 2 (failed)."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever reads our output has stopped
        return 0
    except OSError as error:
        print(f"lab: {error}", file=sys.stderr)
        return _FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/lab",
        description="Run a real OpenStack control plane on this machine, for trying and testing.",
        epilog="docs/lab.md lists its users, tokens, regions and flavors.",
    )
    which = "which lab (default: $FLAVORSYNC_LAB, else 'default')"
    parser.add_argument("--name", help=which)
    common = argparse.ArgumentParser(add_help=False)  # so that it may also follow the command
    common.add_argument("--name", help=which, default=argparse.SUPPRESS)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], int], purpose: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[common], help=purpose, description=purpose)
        added.set_defaults(run=run)
        return added

    command("up", _up, "start every service that does not run; the first time, install it")
    command("down", _down, "stop all services; what they stored stays")
    command("status", _status, "show the services; exit status 1 if one does not run")
    env = command("env", _env, "print the project's settings and fresh tokens as shell exports")
    env.add_argument("--json", action="store_true", help="print one JSON object instead")
    requests = command("requests", _requests, "count the requests that each cloud received")
    requests.add_argument("--json", action="store_true", help="print one JSON object instead")
    requests.add_argument("--since", type=_mark, metavar="MARK", help="a mark that was printed before")
    requests.add_argument(
        "--by",
        choices=("service", "nova", "lab"),
        default="service",
        help="who sent them: the program under test, a Nova checking tokens, the lab itself",
    )
    return parser


def _up(options: argparse.Namespace) -> int:
    lab = Lab(options.name)
    lab.up(_say)
    _say(f"the lab '{lab.name}' is up")
    return 0


def _down(options: argparse.Namespace) -> int:
    lab = Lab(options.name)
    lab.down()
    _say(f"the lab '{lab.name}' is down")
    return 0


def _status(options: argparse.Namespace) -> int:
    lab = Lab(options.name)
    daemons = lab.daemons()
    if not daemons:
        print(f"There is no lab '{lab.name}' yet.")
        return _DOWN
    pids = {name: daemon.pid() for name, daemon in daemons.items()}
    print(f"{'SERVICE':16} {'STATE':8} {'PID':>8}  URL")
    for name, daemon in daemons.items():
        state = "up" if pids[name] else "down"
        print(f"{name:16} {state:8} {pids[name] or '-':>8}  {daemon.url}")
    return 0 if all(pids.values()) else _DOWN


def _env(options: argparse.Namespace) -> int:
    environment = Lab(options.name).environment()
    if options.json:
        print(json.dumps(environment, indent=2))
    else:
        for name, value in environment.items():
            print(f"export {name}={shlex.quote(value)}")
    return 0


def _requests(options: argparse.Namespace) -> int:
    lab = Lab(options.name)
    mark = lab.mark()
    served = lab.requests_served(options.since, options.by)
    if options.json:
        print(json.dumps({"mark": _written(mark), "served": served}, indent=2))
    else:
        _print_served(served)
        print(f"mark: {_written(mark)}")
    return 0


def _print_served(served: Served) -> None:
    for cloud, requests in served.items():
        print(cloud)
        for request, times in sorted(requests.items()):
            print(f"{times:8}  {request}")


def _written(mark: Mark) -> str:
    return ",".join(f"{cloud}:{size}" for cloud, size in mark.items())


def _mark(text: str) -> Mark:
    """Read what `_written` wrote.

    Raises:
        ArgumentTypeError: it is not a mark.
    """
    try:
        parts = [part.rsplit(":", 1) for part in text.split(",")]
        return {cloud: int(size) for cloud, size in parts}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a mark that 'requests' printed") from None


def _say(message: str) -> None:
    print(f"lab: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
