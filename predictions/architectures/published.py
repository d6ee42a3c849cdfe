"""Versions go out on a feed; the customer's application answers."""

import base64
import json

from models_hub import sealing
from models_hub.models import Deployment
from predictions.architectures.following import Following
from predictions.snippets import Snippet, example_row

INSTALL = "pip install ./runtime  # in a checkout of Berth: the package “berth”, without Django"


def public_key() -> str:
    """What the installation signs with, as a follower pins it."""
    return base64.b64encode(sealing.signing_key().public_key().public_bytes_raw()).decode()


class Published(Following):
    name = "published"
    title = "Published as data"
    summary = "Your application follows a feed of versions and swaps them while it runs."
    kind = "subscriber"
    nobody = "The live version is on the feed; no application has reported yet."
    off = "Versions do not go out to applications."

    def usage(self, deployment: Deployment, address: str) -> list[Snippet]:
        model = deployment.model
        row = example_row(model.live.signature if model.live else None)
        slug = json.dumps(model.slug)
        python = (
            f"# {INSTALL}\n"
            "import os\n\n"
            "from berth.feed.subscriber import Subscriber\n\n"
            "subscriber = Subscriber(\n"
            f"    feed={json.dumps(address)},\n"
            '    key=os.environ["BERTH_KEY"],  # with the scope “read”\n'
            f"    models=[{slug}],\n"
            f'    public_key="{public_key()}",\n'
            '    folder="models",  # kept, so that it starts without this portal\n'
            '    name="careers-1",  # as it is listed here\n'
            ")\n"
            "with subscriber:\n"
            f"    rows = {[row]!r}\n"
            f"    print(subscriber.predict({slug}, rows))"
        )
        curl = (
            f'curl "{address}/api/v1/feed?after=0&wait=30" \\\n'
            '  -H "Authorization: Bearer $BERTH_KEY"'
        )
        return [Snippet("Python", python), Snippet("curl", curl)]
