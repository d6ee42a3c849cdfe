"""Following the model feed: what a portal says is live, brought to where it shall answer.

`manifest` is one line of the feed, `sources` where lines come from, `store` what is kept on
disk, `follower` the loop between them, `reporter` what goes back, and `subscriber` all of it
for an application that answers by itself.
"""
