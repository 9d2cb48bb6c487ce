#!/usr/bin/env python3
"""Subjects' keys and values of version 1, implemented a second time: writes golden_subjects_v1.json to standard output.

The tenant and its keys are those of golden_v1.py, which has to stand beside it.
"""

import json
import uuid

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from golden_v1 import ROW, TENANT, context, digest, hkdf, kcv, row_binding


def number(key_id):
    return key_id.to_bytes(4, "big")


def wrap_subject(subject, key_id, by, key):
    wrapping = hkdf(digest(f"key {by}"), context(b"wrapping of subjects' keys", TENANT.bytes))
    aad = context(b"wrapped subject key", TENANT.bytes, subject.bytes, number(key_id), number(by))
    nonce = digest(f"wrap nonce {subject}")[:12]
    return b"\x01" + nonce + AESGCM(wrapping).encrypt(nonce, key, aad)


def seal(subject, key_id, key, table, column, row, plain):
    info = context(b"field of a subject", subject.bytes, b"\x01", b"aead", TENANT.bytes, table.encode(), column.encode())
    header = b"\x01" + number(key_id)
    nonce = digest(f"nonce {key_id} {table} {column} {row}")[:12]
    return header + nonce + AESGCM(hkdf(key, info)).encrypt(nonce, plain, header + row_binding(row))


def subject_entry(subject, key_id, by):
    key = digest(f"subject {subject}")
    values = [
        ("PatientName", "patients", "name", ROW, b"Ada Lovelace"),
        ("Diagnosis", "patients", "diagnosis", ROW, "Erkältung".encode()),
        ("VisitNote", "visits", "note", -7, b""),
    ]
    return {
        "subject": str(subject), "key": key_id, "by": by,
        "wrapped": wrap_subject(subject, key_id, by, key).hex(), "kcv": kcv(key).hex(),
        "values": [
            {"column": name, "row": str(row), "plain": plain.hex(),
             "bytes": seal(subject, key_id, key, table, column, row, plain).hex()}
            for name, table, column, row, plain in values
        ],
    }


if __name__ == "__main__":
    subjects = [
        subject_entry(uuid.UUID("018f4e7a-3333-7eee-8fff-00112233aabb"), 1 << 31, 1),
        subject_entry(uuid.UUID(int=1), (1 << 32) - 1, 3),
    ]
    print(json.dumps({"tenant": str(TENANT), "subjects": subjects}, indent=1))
