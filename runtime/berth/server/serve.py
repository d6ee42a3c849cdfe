"""`berth serve`: from a command line to processes that answer."""

import argparse
import logging
import os
import sys
import tempfile
from dataclasses import replace

from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.server import MPServer

from berth.feed.http import FetchError
from berth.server import installation
from berth.server.options import Options
from berth.server.sources import sources

_END_SECONDS = 20  # for what is under way when the server is told to end
_VARIABLE = "BERTH_TOKEN"  # a command line can be read by every user of a machine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be said. `--token` may come by the environment instead."""
    parser.add_argument("--feed", metavar="URL", required=True, help="the portal's address")
    parser.add_argument(
        "--token",
        default=os.environ.get(_VARIABLE, ""),
        help=f"a server's token (st_…) or a secret key with the scope serve; else {_VARIABLE}",
    )
    parser.add_argument(
        "--kafka", default="", metavar="HOST:PORT,…", help="hear of models and keys from there"
    )
    parser.add_argument(
        "--kafka-properties", default="", metavar="FILE", help="name=value lines: TLS, a password"
    )
    parser.add_argument("--public-key", default="", metavar="BASE64", help="the installation's")
    parser.add_argument("--folder", default="./berth-server", help="models, keys and journal")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument(
        "--memory", type=int, default=1024, metavar="MB", help="of loaded models in each process"
    )
    parser.add_argument(
        "--metrics-key", action="store_true", help="/metrics asks this machine for a key, too"
    )


def serve(arguments: argparse.Namespace) -> int:
    """Answer until SIGTERM or SIGINT; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if not arguments.token:
        print(f"berth serve: give a token, by --token or {_VARIABLE}.", file=sys.stderr)
        return 2
    options = _options(arguments)
    try:
        sources(options, installation.learn_key(options))  # what is wrong there is said here
    except (FetchError, ValueError, OSError, ImportError) as error:
        print(f"berth serve: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="berth-figures-") as figures:
        replace(options, figures=figures).hand_down()
        _granian(options).serve()
    return 0


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        feed=arguments.feed,
        token=arguments.token,
        kafka=arguments.kafka,
        kafka_properties=arguments.kafka_properties,
        public_key=arguments.public_key,
        folder=arguments.folder,
        host=arguments.host,
        port=arguments.port,
        processes=arguments.processes,
        memory=arguments.memory * 1024**2,
        metrics_need_key=arguments.metrics_key,
    )


def _granian(options: Options) -> MPServer:
    return MPServer(
        "berth.server.process:application",
        factory=True,
        address=options.host,
        port=options.port,
        interface=Interfaces.RSGI,
        workers=options.processes,
        loop=Loops.auto,
        websockets=False,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=_END_SECONDS,
        log_level=LogLevels.warning,
    )
