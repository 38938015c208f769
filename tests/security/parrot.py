"""
Services that say what they were told: `parrot.py CERT KEY` answers with the request's head and body, and with a word
made of the request's first path segment. Prints "https PORT" and "http PORT".
"""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "py"))

from harness import origin  # noqa: E402


def parrot(connection, request):
    body = connection.read_body()
    word = request.target.lstrip("/").split("-path-")[0].encode() + b"-answer-5c1f"
    connection.reply(200, [("X-Word", word.decode())], request.head + b"\n" + body + b"\n" + word)


class Leaf:
    cert_file, key_file = sys.argv[1:3]


origin.not_found = parrot
print("https", origin.Origin(origin.tls_context(Leaf)).port)
print("http", origin.Origin(None).port, flush=True)
threading.Event().wait()
