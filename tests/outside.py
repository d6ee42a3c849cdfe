"""An outsider's program: it knows the contract, an address and a key, and nothing else."""

import time
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Outsider:
    """Calls ``/api/v1`` as a customer's program would."""

    base_url: str
    key: str

    def __post_init__(self) -> None:
        self.client = httpx.Client(
            base_url=f"{self.base_url}/api/v1",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=60,
        )

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, status: int = 200, **more: Any) -> Any:
        answer = self.client.post(path, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def upload(self, slug: str, artifact: bytes, sample: bytes = b"", target: str = "") -> Any:
        """A version, inspected to its end."""
        files = {"artifact": ("model.skops", artifact)}
        if sample:
            files["sample"] = ("sample.csv", sample)
        made = self.post(f"/models/{slug}/versions", 202, files=files, data={"target": target})
        return self.wait(f"/models/{slug}/versions/{made['number']}", "inspecting")

    def wait(self, path: str, *statuses: str, seconds: float = 120) -> Any:
        """The object at ``path`` once its status is none of ``statuses``."""
        end = time.monotonic() + seconds
        while (found := self.get(path))["status"] in statuses:
            assert time.monotonic() < end, f"{path} is still {found['status']}"
            time.sleep(0.1)
        return found

    def predict(self, slug: str, instances: list[Any], **more: Any) -> Any:
        return self.post(f"/models/{slug}/predict", json={"instances": instances, **more})
