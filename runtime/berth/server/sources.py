"""What a server follows: the portal's feeds, or the same ones on Apache Kafka."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth.feed.http import Http
from berth.feed.properties import read_properties
from berth.feed.sources import SERVER_FEED, HttpSource, Source
from berth.server.options import Options

KEYS_FEED = "/api/v1/server/keys"


def sources(options: Options, public_key: Ed25519PublicKey) -> tuple[Source, Source]:
    """The feed of models and the one of keys.

    Raises OSError and ValueError for a file of Kafka's properties that can't be used,
    ImportError where the extra `berth[kafka]` is not installed.
    """
    if options.kafka:
        return _on_kafka(options, public_key)
    models = HttpSource(options.feed, options.token, path=SERVER_FEED)
    return models, _keys(options)


def _keys(options: Options) -> Source:
    """Quick to notice that a connection is dead: a revocation counts within five seconds."""
    return HttpSource(
        options.feed, options.token, path=KEYS_FEED, poll=4, most_away=2.0, silence=2.0
    )


def _on_kafka(options: Options, public_key: Ed25519PublicKey) -> tuple[Source, Source]:
    # here because only who follows Kafka has the extra
    from berth.feed.kafka import KafkaKeys, KafkaSource

    file = options.kafka_properties
    properties = read_properties(Path(file)) if file else {}
    http = Http(options.feed, options.token)
    models = KafkaSource(options.kafka, public_key, http=http, properties=properties)
    return models, KafkaKeys(options.kafka, public_key, properties=properties)
