#!/usr/bin/env python3
"""Version 1 of the sealed format, implemented a second time: writes golden_v1.json to standard output.

Needs the package `cryptography`. Everything here is fixed, so that the output is the same every time.
"""

import base64
import hashlib
import hmac
import json
import uuid

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def digest(label):
    """32 fixed bytes in place of random ones."""
    return hashlib.sha256(b"golden " + label.encode()).digest()


def context(*parts):
    parts = [b"stockade-field-crypto", *parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def hkdf(key, info):
    prk = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(prk, info + b"\x01", "sha256")


KEK_ID, KEK = "arn:aws:kms:golden/k1", digest("kek")
TENANT = uuid.UUID("018f4e7a-1111-7aaa-8bbb-0123456789ab")
KEYS = [
    (1, "aead", "decrypt_only"),
    (2, "index", "active"),
    (3, "aead", "active"),
    (4294967295, "index", "decrypt_only"),
]


def wrap(label, key, bound):
    aad = context(b"local keyring", KEK_ID.encode(), bound)
    nonce = digest("wrap nonce " + label)[:12]
    return b"\x01" + nonce + AESGCM(KEK).encrypt(nonce, key, aad)


def kcv(key):
    return hkdf(key, context(b"kcv"))[:16]


def row_binding(row):
    if row is None:
        return bytes(17)
    if isinstance(row, uuid.UUID):
        return b"\x01" + row.bytes
    return b"\x02" + bytes(8) + row.to_bytes(8, "big", signed=True)


def seal(key_id, table, column, row, plain):
    info = context(b"field", b"\x01", b"aead", TENANT.bytes, table.encode(), column.encode())
    subkey = hkdf(digest(f"key {key_id}"), info)
    header = b"\x01" + key_id.to_bytes(4, "big")
    nonce = digest(f"nonce {key_id} {table} {column} {row}")[:12]
    return header + nonce + AESGCM(subkey).encrypt(nonce, plain, header + row_binding(row))


def index_tag(key_id, table, column, name, normaliser, term):
    info = context(
        b"blind index", b"\x01", b"index", TENANT.bytes,
        table.encode(), column.encode(), name.encode(), normaliser.encode(),
    )
    subkey = hkdf(digest(f"key {key_id}"), info)
    return b"\x01" + key_id.to_bytes(4, "big") + hmac.digest(subkey, term.encode(), "sha256")[:16]


def key_entry(key_id, purpose, state):
    key = digest(f"key {key_id}")
    bound = context(b"wrapped tenant key", TENANT.bytes, key_id.to_bytes(4, "big"), purpose.encode())
    wrapped = wrap(f"key {key_id}", key, bound)
    return {"key": key_id, "purpose": purpose, "state": state, "wrapped": wrapped.hex(), "kcv": kcv(key).hex()}


def value_entry(column_type, key_id, table, column, row, plain):
    sealed = seal(key_id, table, column, row, plain)
    text = "fc1." + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    row = None if row is None else str(row)
    return {"column": column_type, "key": key_id, "row": row, "plain": plain.hex(), "bytes": sealed.hex(), "text": text}


ROW = uuid.UUID("018f4e7a-2222-7ccc-9ddd-fedcba987654")
canary = digest("canary")
golden = {
    "keyring": KEK_ID + ":" + base64.b64encode(KEK).decode(),
    "kek": KEK_ID,
    "canary": {"wrapped": wrap("canary", canary, context(b"wrapped canary")).hex(), "kcv": kcv(canary).hex()},
    "tenant": str(TENANT),
    "keys": [key_entry(*key) for key in KEYS],
    "values": [
        value_entry("DriverSsn", 1, "drivers", "ssn", ROW, b"078-05-1120"),
        value_entry("DriverSsn", 3, "drivers", "ssn", ROW, b"078-05-1120"),
        value_entry("DriverSsn", 3, "drivers", "ssn", uuid.UUID(int=0), b""),
        value_entry("BankAccount", 3, "drivers", "bank_account", ROW, "Zürich 12/3456".encode()),
        value_entry("TotpSeed", 3, "users", "totp_seed", ROW, bytes(range(256)) * 5),
        value_entry("LedgerMemo", 3, "ledger", "memo", 42, b"first"),
        value_entry("LedgerMemo", 3, "ledger", "memo", -1, b"second"),
        value_entry("SmtpPassword", 3, "settings", "smtp_password", None, b"hunter2"),
    ],
    "tags": [
        {
            "value": "078-05-1120",
            "tags": [
                index_tag(key_id, "drivers", "ssn", "ssn_index", "digits-only", "078051120").hex()
                for key_id in (2, 4294967295)
            ],
        },
    ],
}
if __name__ == "__main__":
    print(json.dumps(golden, indent=1, ensure_ascii=False))
