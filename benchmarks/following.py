"""An application that follows the feed: it asks its Subscriber without a pause, and writes down
when which version answered. A program of its own, as a customer's would be.

python -m benchmarks.following FEED KEY PUBLIC_KEY FOLDER ROW (JSON): a line "TIME VERSION" for
each answer, "TIME failed: WHY" for each that is none.
"""

import json
import sys
import threading
import time

from berth.feed.subscriber import Subscriber

MODEL = "pay"
PAUSE = 0.004  # seconds between two calls of a thread


def main() -> None:
    feed, key, public_key, folder, row = sys.argv[1:]
    rows = [json.loads(row)]
    subscriber = Subscriber(
        feed=feed, key=key, public_key=public_key, folder=folder, models=[MODEL], name="bench"
    )
    with subscriber:
        threads = [threading.Thread(target=_ask, args=(subscriber, rows)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _ask(subscriber: Subscriber, rows: list[dict[str, object]]) -> None:
    while True:
        try:
            heard = str(subscriber.predict(MODEL, rows)["version"])
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a call that failed
            heard = f"failed: {error}"
        sys.stdout.write(f"{time.time():.4f} {heard}\n")  # at once: there is another thread
        sys.stdout.flush()
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
