"""Workers score files into the predictions database."""

import json

from models_hub.models import Deployment
from predictions.architectures.base import Architecture, Status
from predictions.snippets import Snippet


class Offline(Architecture):
    name = "offline"
    title = "Offline predictions"
    summary = "Workers score whole files into the predictions database, to be looked up later."

    def status(self, deployment: Deployment) -> Status:
        if not deployment.is_active:
            return Status("Off", "New jobs are refused.", is_good=False)
        live = deployment.model.live
        if live is None:
            return Status("Waiting", "Jobs need a version that is promoted.", is_good=False)
        return Status("Active", f"Jobs use version {live.number} unless they name another.")

    def usage(self, deployment: Deployment, address: str) -> list[Snippet]:
        url = f"{address}/api/v1/models/{deployment.model.slug}/jobs"
        curl = f'curl {url} \\\n  -H "Authorization: Bearer $BERTH_KEY" \\\n  -F file=@people.csv'
        python = (
            "import os, requests\n\n"
            f"answer = requests.post(\n    {json.dumps(url)},\n"
            '    headers={"Authorization": f"Bearer {os.environ[\'BERTH_KEY\']}"},\n'
            '    files={"file": open("people.csv", "rb")},\n)\n'
            "print(answer.json())"
        )
        return [Snippet("curl", curl), Snippet("Python", python)]
