"""Reads a message on standard input, verifies each of its DKIM signatures with dkimpy, and says in
JSON what Python's own parser makes of it. Arguments: name and text of a record, as often as needed.
"""

import email
import email.policy
import json
import sys

import dkim

message = sys.stdin.buffer.read()
records = dict(zip(sys.argv[1::2], sys.argv[2::2]))


def txt(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    return records.get(name.rstrip("."), "").encode()


def verified(index):
    try:
        return dkim.DKIM(message).verify(idx=index, dnsfunc=txt)
    except dkim.DKIMException as error:
        return str(error)


parsed = email.message_from_bytes(message, policy=email.policy.default)
signatures = len(parsed.get_all("DKIM-Signature", []))
print(
    json.dumps(
        {
            "verified": [verified(index) for index in range(signatures)],
            "headers": [name for name in parsed.keys()],
            "values": {name: str(value) for name, value in parsed.items()},
            "defects": [repr(defect) for part in parsed.walk() for defect in part.defects]
            + [repr(d) for value in parsed.values() for d in getattr(value, "defects", [])],
            "parts": [part.get_content_type() for part in parsed.walk()],
        }
    )
)
