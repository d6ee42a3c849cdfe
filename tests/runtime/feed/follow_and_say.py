"""A process that follows the model “pay” and says, again and again, what it answers.

python follow_and_say.py FEED PUBLIC_KEY FOLDER
"""

import sys
import time

from berth.feed.subscriber import Subscriber

ROW = {"experience": 0, "education": 12, "region": "north"}


def main() -> None:
    feed, public_key, folder = sys.argv[1:]
    subscriber = Subscriber(
        feed=feed, key="sk_test", models=["pay"], public_key=public_key, folder=folder
    )
    with subscriber:
        while True:
            model = subscriber.model("pay")
            told = model.predict([ROW])["predictions"][0]
            print(model.manifest.offset, model.version, round(told), flush=True)
            time.sleep(0.002)


if __name__ == "__main__":
    main()
