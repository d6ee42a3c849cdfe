"""What an operator says to `berth serve`, and how it reaches each process."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

VARIABLE = "BERTH_SERVER_OPTIONS"  # from the process above to those that answer


@dataclass(frozen=True, slots=True)
class Options:
    """`feed` and `token`: the portal, and a server's token (st_…) or an organisation's secret key
    with the scope serve. `kafka`: brokers to hear of models and keys from, in the portal's stead,
    `kafka_properties`: a file of librdkafka's settings for them.
    `public_key`: the installation's, in base64; empty: the portal's word is taken for it once.
    `memory`: bytes of loaded models in each process. `figures`: a folder that the processes
    share to add up their metrics."""

    feed: str
    token: str
    folder: str
    kafka: str = ""
    kafka_properties: str = ""
    public_key: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    processes: int = 1
    memory: int = 1024 * 1024**2
    metrics_need_key: bool = False
    figures: str = ""

    @property
    def home(self) -> Path:
        return Path(self.folder)

    @property
    def journal(self) -> Path:
        return self.home / "journal"

    def hand_down(self) -> None:
        """Leave the options to processes that are started from here on."""
        os.environ[VARIABLE] = orjson.dumps(asdict(self)).decode()

    @classmethod
    def handed_down(cls) -> "Options":
        return cls(**orjson.loads(os.environ[VARIABLE]))
