#!/usr/bin/env python3
"""Tags of every kind of blind index, implemented a second time: writes golden_index_v1.json to standard output."""

import hashlib
import hmac
import json
import uuid

KEY = hashlib.sha256(b"golden index key").digest()
TENANT = uuid.UUID("018f4e7a-1111-7aaa-8bbb-0123456789ab")
NOBODY = uuid.UUID(int=0)


def context(*parts):
    parts = [b"stockade-field-crypto", *parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def hkdf(key, info):
    prk = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(prk, info + b"\x01", "sha256")


def tag(tenant, table, column, name, normaliser, term, scope="tenant", bits=128):
    parts = [table, column, name, normaliser]
    # A tenant's whole tags are the first kind that there was: nothing says so.
    kind = [] if (scope, bits) == ("tenant", 128) else [scope.encode(), bytes([bits])]
    info = context(b"blind index", b"\x01", b"index", tenant.bytes, *(part.encode() for part in parts), *kind)
    found = hmac.digest(hkdf(KEY, info), term.encode(), "sha256")
    kept = int.from_bytes(found, "big") >> (256 - bits) << (256 - bits)
    return b"\x01" + (1).to_bytes(4, "big") + kept.to_bytes(32, "big")[: (bits + 7) // 8]


def entry(index, value, *rest, **kind):
    return {"index": index, "value": value, "tag": tag(*rest, **kind).hex()}


EMAIL = ("users", "email", "email_index")
print(json.dumps({
    "key": KEY.hex(),
    "tenant": str(TENANT),
    "tags": [
        entry("DriverSsnIndex", "078-05-1120", TENANT, "drivers", "ssn", "ssn_index", "digits-only", "078051120"),
        entry("DriverSsnLast4", "078-05-1120", TENANT, "drivers", "ssn", "ssn_last4", "last-4(digits-only)", "1120", bits=8),
        entry("EmailApprox", " Ada@Example.com", TENANT, *EMAIL, "lower-trim", "ada@example.com", bits=64),
        entry("EmailApproxLess", "Ada@Example.com", TENANT, *EMAIL, "lower-trim", "ada@example.com", bits=57),
        entry("EmailNfkc", "Jose\u0301@\uff25xample.com", TENANT, *EMAIL, "nfkc(lower-trim)", "jos\u00e9@example.com"),
        entry("EmailAnywhere", "Ada@Example.com", NOBODY, *EMAIL, "lower-trim", "ada@example.com", scope="global"),
        entry("EmailRoughly", "Ada@Example.com", NOBODY, *EMAIL, "lower-trim", "ada@example.com", scope="global", bits=12),
    ],
}, indent=2))
