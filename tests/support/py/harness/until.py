"""Waiting for what comes true without anybody saying so."""
import time


def wait_until(condition, what, seconds=20):
    """what: the complaint, or a function that makes it when it is due."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.02)
